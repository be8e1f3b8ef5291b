package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/house"
	"clusy.io/clusy/internal/signal"
	providers "clusy.io/clusy/internal/signal/provider"
)

// shim is how the executor starts this binary as a shim.
var shim = []string{"/proc/self/exe", "shim"}

func serveCommand() *cobra.Command {
	var dir, listen, zone, database, keys string
	var sites, signals, gpus []string
	var newAdmin, open, expect bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server, with this machine as its site",
		Long: `Run a server, with this machine as its site.

Everything is kept below --data: the store, the keys, the agent's journal and
the output of workloads. The first start prints an admin token, once; only its
hash is kept.

The zone says which grid this machine draws from; clusy zones --all lists them
(also without a server). A cloud region stands for its zone, and brings its PUE:
aws/eu-north-1; clusy regions lists those. Without --signals, plans rest on the
climatology that ships for 22 zones, and on yearly means elsewhere; with it,
on the values in a file, CSV or JSON, as they appear, or on the live sources that
a file signals.yaml declares: clusy signals kinds lists what can stand there.

With --database the store is PostgreSQL (15 or newer), and several servers may
share it, each with its own --data and all with the same --keys: any of them
serves, one of them leads, and another takes over within seconds when it does
not answer. Such a server need not have a site of its own.

Loopback only: anything else needs TLS, which this version does not serve.
Ctrl-C stops the server; workloads that run then run on, and are found again.`,
		Example: "clusy serve --zone DE-LU\nclusy serve --site rack1=DE-LU --site rack2=FR --signals intensity.csv\nclusy serve --zone DE-LU --signals signals.yaml\nclusy serve --zone gcp/europe-west4\nclusy serve --zone FR --database env:CLUSY_DATABASE --keys /etc/clusy/keys",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if zone != "" {
				sites = append([]string{"local=" + zone}, sites...)
			}
			cfg := house.Config{
				Dir: dir, Listen: listen, Version: version(), Shim: shim, NewAdmin: newAdmin, Keys: keys, OpenSignals: open, Expect: expect,
				Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			}
			if database != "" {
				address, err := providers.ReadSecret(database)
				if err != nil {
					return usage("--database: %w", err)
				}
				cfg.Database = address
			}
			if len(sites) == 0 && database == "" {
				return usage("no zone: --zone DE-LU says which grid this machine draws from")
			}
			known, err := openBook(cmd)
			if err != nil {
				return err
			}
			cfg.Tables = known.tables
			for _, s := range sites {
				id, z, ok := strings.Cut(s, "=")
				if !ok || id == "" || z == "" {
					return usage("--site %q is not NAME=ZONE", s)
				}
				at, err := known.place(cmd.ErrOrStderr(), z, len(signals) > 0)
				if err != nil {
					return err
				}
				cfg.Sites = append(cfg.Sites, house.Site{ID: id, Zone: at.zone, CPUs: float64(runtime.NumCPU()), PUE: at.pue})
			}
			if err := equip(cfg.Sites, gpus); err != nil {
				return err
			}
			for _, name := range signals {
				if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
					declared, err := readSources(name)
					if err != nil {
						return usage("--signals: %w", err)
					}
					cfg.Sources = append(cfg.Sources, declared...)
					continue
				}
				p, err := signal.OpenFile(name, signal.FileOptions{})
				if err != nil {
					return usage("--signals: %w", err)
				}
				cfg.Signals = append(cfg.Signals, p)
			}
			collectLess()
			h, err := house.Open(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			link, err := h.SignIn(access.Admin)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "Clusy serves at %s · data in %s · Ctrl-C stops it\n", h.URL, dir)
			if token := h.Admin.Reveal(); token != "" {
				fmt.Fprintf(out, "\nThe admin token, shown this once (only its hash is kept):\n\n  export CLUSY_URL=%s\n  export CLUSY_TOKEN=%s\n\n", h.URL, token)
			}
			fmt.Fprintf(out, "Console, once and within a quarter of an hour (then `clusy console` prints another link):\n\n  %s\n\n", link.Reveal())
			fmt.Fprintf(out, "Try:  clusy run --by +10h --for 2h --power 300W -- sh -c 'echo hi; sleep 20'\n")
			return h.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&dir, "data", defaultData(), "directory of everything at rest")
	cmd.Flags().StringVar(&database, "database", "", "env:NAME or file:PATH with the address of a PostgreSQL database, instead of a file below --data; several servers may share it")
	cmd.Flags().StringVar(&keys, "keys", "", "directory of the log's and the enclave's keys, the same for all that share a database (default: keys below --data)")
	cmd.Flags().StringVar(&listen, "listen", defaultAddress, "address to listen on; loopback only")
	cmd.Flags().StringVar(&zone, "zone", "", "grid zone of this machine: DE-LU, US-CAL-CISO, …; or its cloud region: aws/eu-north-1")
	cmd.Flags().StringArrayVar(&gpus, "gpu", nil, "accelerators of every site, TYPE=COUNT, or of one, SITE:TYPE=COUNT; may be repeated")
	cmd.Flags().StringArrayVar(&sites, "site", nil, "another site, NAME=ZONE or NAME=REGION; may be repeated")
	cmd.Flags().StringArrayVar(&signals, "signals", nil, "file of carbon intensities, CSV or JSON, or of live sources, YAML; may be repeated, the most trusted first")
	tablesFlag(cmd)
	cmd.Flags().BoolVar(&expect, "expect", true, "leave clean hours to work that is expected, by what was submitted at the same hours of the last weeks; --expect=false plans by what is known alone")
	cmd.Flags().BoolVar(&open, "open-signals", false, "let programs on this machine read carbon intensities by the Carbon Aware SDK's API without a token")
	cmd.Flags().BoolVar(&newAdmin, "new-admin-token", false, "make and print another admin token, where the first is lost")
	return cmd
}

// collectAt is how much garbage a server lets stand before it is collected, in
// hundredths of what it keeps. It keeps little and makes much for each request:
// at the usual 100, a tenth of its work is collecting.
const collectAt = 400

// collectLess sets that; GOGC in the environment overrides it.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

func defaultData() string {
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "clusy")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "clusy-data"
	}
	return filepath.Join(home, ".local", "state", "clusy")
}
