package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

// health is what a check has found.
type health string

const (
	fine    health = "ok"
	warned  health = "warn"
	broken  health = "fail"
	skipped health = "skipped"
)

// checked is one check: what was found, why it matters, and what mends it.
type checked struct {
	Name  string `json:"name"`
	State health `json:"state"`
	Says  string `json:"says"`
	Why   string `json:"why,omitempty"`
	Next  string `json:"next,omitempty"`
}

// checkup is all that doctor has found.
type checkup struct {
	OK     bool      `json:"ok"`
	Checks []checked `json:"checks"`
	Grow   growth    `json:"grow"`
}

// growth is the next step of growing up.
type growth struct {
	Says string `json:"says"`
	Next string `json:"next,omitempty"`
}

func doctorCommand() *cobra.Command {
	var dir, free string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Name what is wrong here, and the next step of growing up",
		Long: `Name what is wrong here, and the next step of growing up.

It looks at this machine (the data directory, its disk and keys, whether a
program can be started and its energy measured, the clock) and, where a server
answers and CLUSY_TOKEN is set, at that server. Each finding says what it is,
why it matters, and the command that mends it. It changes nothing: what it
writes to try the disk, it removes again.

  ✓ in order   ! works, but look at it   ✗ wrong   · not looked at

The exit code is 0 if nothing is wrong (warnings are allowed), and 1 if
something is.`,
		Example: "clusy doctor\nclusy doctor --data /srv/clusy --min-free 5GiB\nclusy doctor --json | jq '.checks[] | select(.state != \"ok\")'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			least, err := bytesOf(free)
			if err != nil {
				return usage("--min-free %q: %w", free, err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			d := &doctor{dir: dir, least: least}
			d.binary()
			d.machine(ctx)
			d.server(ctx, cmd)
			up := checkup{OK: true, Checks: d.checks, Grow: d.grow()}
			for _, c := range d.checks {
				up.OK = up.OK && c.State != broken
			}
			if err := print(cmd, up, func(out io.Writer) error { showCheckup(out, up); return nil }); err != nil {
				return err
			}
			if !up.OK {
				return exitStatus(exitError)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "data", defaultData(), "data directory of the server")
	cmd.Flags().StringVar(&free, "min-free", "500MiB", "free disk space that is to be there: 500MiB, 5GiB")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

func showCheckup(out io.Writer, up checkup) {
	marks := map[health]string{fine: paint(out, green, "✓"), warned: paint(out, yellow, "!"), broken: paint(out, red, "✗"), skipped: "·"}
	for _, c := range up.Checks {
		fmt.Fprintf(out, "%s %-12s %s\n", marks[c.State], c.Name, c.Says)
		if c.State == fine {
			continue
		}
		if c.Why != "" {
			fmt.Fprintf(out, "  %-12s %s\n", "", c.Why)
		}
		if c.Next != "" {
			fmt.Fprintf(out, "  %-12s → %s\n", "", c.Next)
		}
	}
	fmt.Fprintf(out, "\nNext step of growing up: %s\n", up.Grow.Says)
	if up.Grow.Next != "" {
		fmt.Fprintf(out, "  %s\n", up.Grow.Next)
	}
}

// doctor goes from check to check, and remembers what the next step of
// growing up depends on.
type doctor struct {
	dir    string
	least  uint64 // free bytes
	checks []checked

	client    *clusy.Client
	status    clusy.Status
	answers   bool // a server, and it knows our token
	realData  bool // some zone of a site has a signal that was measured
	workloads int
}

// say records a check.
func (d *doctor) say(name string, s health, says string) *checked {
	d.checks = append(d.checks, checked{Name: name, State: s, Says: says})
	return &d.checks[len(d.checks)-1]
}

// so adds why it matters and what mends it.
func (c *checked) so(why, next string) { c.Why, c.Next = why, next }

func (d *doctor) binary() {
	says := fmt.Sprintf("clusy %s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if runtime.GOOS != "linux" {
		d.say("binary", warned, says).so("Programs are run on Linux only; here it is a client.", "run clusy serve on a Linux machine, and set CLUSY_URL here")
		return
	}
	d.say("binary", fine, says)
}

// server looks at the server that the flags and the environment name. Where
// nobody named one, none need be there.
func (d *doctor) server(ctx context.Context, cmd *cobra.Command) {
	url, _ := cmd.Flags().GetString("url")
	named := url != "" || os.Getenv("CLUSY_URL") != ""
	c, noToken := connect(cmd)
	if noToken == nil {
		named, url = true, c.URL
	} else if url == "" {
		url = os.Getenv("CLUSY_URL")
	}
	if url == "" {
		url = defaultURL
	}
	alive, err := fetch(ctx, url+"/livez")
	switch {
	case err != nil && !named:
		d.say("server", skipped, "none at "+url).so("Without one, clusy can only show what ships with it.", "clusy serve --zone ZONE   (clusy zones --all lists the zones)")
		return
	case err != nil:
		d.say("server", broken, fmt.Sprintf("nothing answers at %s: %v", url, rootOf(err))).so("Every other command asks it.", "clusy serve --zone ZONE, or set CLUSY_URL to the address that it printed")
		return
	case alive.StatusCode != 200 || !strings.Contains(alive.Header.Get("Content-Type"), "json"):
		d.say("server", broken, fmt.Sprintf("%s answers, but not as a Clusy server does (%s)", url, alive.Status)).so("Something else listens there.", "set CLUSY_URL to the address that clusy serve printed")
		return
	}
	if ready, err := fetch(ctx, url+"/readyz"); err != nil || ready.StatusCode != 200 {
		d.say("server", broken, "at "+url+", alive but not ready").so("Its store does not answer.", "look at what clusy serve writes to its standard error, and at the disk of its --data")
		return
	}
	d.say("server", fine, "at "+url+", alive and ready")
	d.console(ctx, url)
	switch {
	case errors.Is(noToken, errNoToken):
		d.say("token", skipped, "CLUSY_TOKEN is not set").so("Without it the server tells nothing more.", "export CLUSY_TOKEN=…, as clusy serve printed it; where it is lost: clusy serve --new-admin-token")
		return
	case noToken != nil:
		d.say("token", broken, noToken.Error()).so("The server does not know who you are.", "name a file that holds the token with --token-file")
		return
	}
	d.client = c
	st, err := c.Status(ctx)
	if err != nil {
		d.say("token", broken, "the server refuses it: "+firstLine(err)).so("Every other command needs it.", "export CLUSY_TOKEN=…, as this very server printed it; where it is lost: clusy serve --new-admin-token")
		return
	}
	d.status, d.answers = st, true
	d.token(ctx)
	d.release()
	d.skew(ctx)
	d.sites(ctx)
	d.work(ctx)
	d.log(ctx)
}

func (d *doctor) console(ctx context.Context, url string) {
	res, err := fetch(ctx, url+"/")
	switch {
	case err == nil && res.StatusCode == 200 && strings.Contains(res.Header.Get("Content-Type"), "text/html"):
		d.say("console", fine, "in a browser at "+url)
	case err == nil && res.StatusCode == 404:
		d.say("console", skipped, "this server has no console")
	default:
		d.say("console", warned, "does not open at "+url).so("The browser would show an error.", "look at what clusy serve writes to its standard error")
	}
}

func (d *doctor) release() {
	if d.status.Version != version() {
		d.say("version", warned, fmt.Sprintf("the server is %s, this is %s", d.status.Version, version())).so("One may know fields that the other does not.", "use the same build on both sides, and restart clusy serve after an update")
		return
	}
	d.say("version", fine, "the server's is this one's")
}

// skew compares our clock with the server's. A replay's is another by design.
func (d *doctor) skew(ctx context.Context) {
	if d.status.Demo {
		d.say("skew", skipped, fmt.Sprintf("the server is a demo: its clock says %s UTC and runs %.0f times as fast", local(d.status.Now), d.status.Rate))
		return
	}
	before := time.Now()
	st, err := d.client.Status(ctx)
	if err != nil {
		d.say("skew", warned, "not known: "+firstLine(err))
		return
	}
	after := time.Now()
	off := st.Now.Sub(before.Add(after.Sub(before) / 2)).Abs()
	says := fmt.Sprintf("the server's clock is within %s of this one", max(off, time.Millisecond).Round(time.Millisecond))
	switch {
	case off > time.Minute:
		d.say("skew", broken, fmt.Sprintf("the server's clock is %s from this one", span(off))).so("completeBy +10h would mean another instant there.", "set both by NTP: timedatectl set-ntp true")
	case off > 2*time.Second+after.Sub(before):
		d.say("skew", warned, says).so("Times from now are the server's.", "set both by NTP: timedatectl set-ntp true")
	default:
		d.say("skew", fine, says)
	}
}

// sites looks at the places that run work, and at what is known of their zones.
func (d *doctor) sites(ctx context.Context) {
	sites, err := d.client.Sites(ctx)
	if err != nil {
		d.say("sites", broken, firstLine(err))
		return
	}
	if len(sites.Items) == 0 {
		d.say("sites", broken, "none").so("Nothing can run.", "restart clusy serve --zone ZONE; its agent registers within seconds")
		return
	}
	zones := map[string]bool{}
	var names []string
	for _, s := range sites.Items {
		zones[s.Zone] = true
		if !s.Silent {
			names = append(names, s.ID+" ("+s.Zone+")")
		} else {
			d.say("sites", broken, fmt.Sprintf("%s is silent since %s", s.ID, local(s.Seen))).so("It starts what it holds by itself, but takes no new work.", "look at its machine: is its agent running, and does it reach "+d.client.URL+"?")
		}
	}
	if len(names) > 0 {
		d.say("sites", fine, strings.Join(names, ", "))
	}
	known, err := d.client.Zones(ctx)
	if err != nil {
		d.say("zones", broken, firstLine(err))
		return
	}
	for _, z := range known.Items {
		if zones[z.Zone] {
			d.zone(z)
		}
	}
}

func (d *doctor) zone(z clusy.Zone) {
	const mend = "clusy serve … --signals intensity.csv   (docs/how-to/real-data.md)"
	name := "zone " + z.Zone
	age := d.status.Now.Sub(z.Issued)
	trouble := ""
	if z.Problem != "" {
		trouble = " (" + z.Problem + ")"
	}
	switch {
	case z.Now == nil:
		d.say(name, broken, "no carbon intensity is known"+trouble).so("Work there is run by its policy onNoSignal, and nothing is saved.", mend)
	case z.Grade == "E":
		d.say(name, warned, fmt.Sprintf("%.0f g/kWh, grade E: %s%s", *z.Now, gradeMeans["E"], trouble)).so("Every hour looks the same, so nothing waits.", mend)
	case z.Grade == "D":
		d.say(name, warned, fmt.Sprintf("%.0f g/kWh, grade D: %s%s", *z.Now, gradeMeans["D"], trouble)).so("It knows the season and the hour of the day, not today's wind.", mend)
	case z.Problem != "":
		d.say(name, warned, z.Problem).so("It is planned by what is known from before.", "mend the file that --signals names, or the provider")
	case age > 3*time.Hour:
		d.say(name, warned, fmt.Sprintf("the forecast is %s old", span(age))).so("Plans get worse as it ages.", "look at what clusy serve writes to its standard error")
	default:
		d.realData = true
		d.say(name, fine, fmt.Sprintf("%.0f g/kWh now, grade %s by %s, forecast %s old", *z.Now, z.Grade, z.Provider, span(max(0, age))))
	}
}

// looked is how many workloads are looked at.
const looked = 500

func (d *doctor) work(ctx context.Context) {
	p, err := d.client.Workloads(ctx, nil, "", looked)
	if err != nil {
		d.say("workloads", broken, firstLine(err))
		return
	}
	d.workloads = len(p.Items)
	var late, unplanned, silent []string
	for _, w := range p.Items {
		switch {
		case terminal(w.State):
		case !w.MissedAt.IsZero():
			late = append(late, w.ID)
		case w.State == "site_silent":
			silent = append(silent, w.ID)
		case w.Plan == nil:
			unplanned = append(unplanned, w.ID)
		}
	}
	if len(late) > 0 {
		d.say("workloads", warned, some(late)+" past completeBy and still not done").so("That is on record as a missed promise, with its cause.", "clusy explain "+late[0])
	}
	if len(unplanned) > 0 {
		d.say("workloads", warned, some(unplanned)+" without a plan").so("The control loop has found no place for it, or has not come to it yet.", "clusy explain "+unplanned[0])
	}
	if len(silent) > 0 {
		d.say("workloads", warned, some(silent)+" at a site that does not answer").so("Whether it runs is not known.", "clusy sites")
	}
	if len(late)+len(unplanned)+len(silent) == 0 {
		says := fmt.Sprintf("%d, none late or without a plan", len(p.Items))
		if p.Next != "" {
			says = fmt.Sprintf("of the newest %d none is late or without a plan", len(p.Items))
		}
		d.say("workloads", fine, says)
	}
}

// some names a few of many.
func some(ids []string) string {
	if n := len(ids); n > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:3], ", "), n-3)
	}
	return strings.Join(ids, ", ")
}

// grow is the one next step, the first that applies.
func (d *doctor) grow() growth {
	switch {
	case !d.answers:
		return growth{"a server of your own, with this machine as its site", "clusy serve --zone ZONE   (clusy zones --all lists the zones)"}
	case d.status.Demo:
		return growth{"leave the demo, and serve with your own zone in real time", "clusy serve --zone ZONE   (clusy zones --all lists the zones)"}
	case !d.realData:
		return growth{"real grid data, so that plans know today's wind and sun", "clusy serve … --signals intensity.csv   (docs/how-to/real-data.md)"}
	case d.workloads == 0:
		return growth{"a first intent of your own", "clusy init && clusy run intent.yaml"}
	}
	return growth{Says: "nothing is left that this version can do; TLS and other machines, Kubernetes and Slurm, and PostgreSQL are not built yet"}
}

// fetch gets a page that needs no token. Only its head counts.
func fetch(ctx context.Context, url string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}

// rootOf is the innermost of a chain of errors: what people can act on.
func rootOf(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// dirSize sums the files below a directory.
func dirSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() {
			n += st.Size()
		}
		return nil
	})
	return n
}
