package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// benchPlan says what is to be planned, and how.
type benchPlan struct {
	rows    []string
	recipe  recipeFlags
	workers int
	passes  int
	gap     float64
	repeat  int

	instance, write, placements, certificate string

	profile string
	out     io.Writer // progress
}

func benchPlanCommand() *cobra.Command {
	var b benchPlan
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Measure the planner of whole fleets: how near to the best, how fast",
		Long: `Measure the planner of whole fleets: how near to the best, how fast.

It plans rows of made-up instances, or one that somebody else made, and says of
each what the plan emits and what no plan can be below: the bound. The gap is
what lies between, as a share of the bound. Before a figure is printed the plan
is verified by code that shares nothing with the planner, and the bound is
derived again from its prices; if one of them does not hold, the exit code is 1.
That is not in the seconds, nor is making or reading the instance.

Rows, each by its name or all that begin so (--rows util is util-20 to util-90):
  small    200, 500 and 1,000 intents          100k     100,000 intents
  1m       1,000,000 intents                   15min    in 15-min slots, 8 zones
  replan   100k anew, by another forecast      util     20,000, utilisation .2 to .9
  growth   1k to 1m intents; more slots; more sites
  online   20,000 that are not known before they arrive, planned each slot anew,
           with another week's of the same kind expected
  late     the same at utilisation .9; forecasts err by 30 %, a site dies for a day
  private  100k once more by 100 enclaves, in 16 rounds, that show nobody their jobs
Where a row does not say otherwise: a week of hours, 4 zones, utilisation 0.6.
--intents N plans a row of your own instead, with --slots, --slot, --util and
--sites-per-zone; the other flags of the recipe change every row, and what a figure
was measured on is printed with it.

An instance is made up by a seed. Jobs are drawn from a trace (--jobs, a CSV with
arrival_h,length_h,cpus) or are like those of one (--shapes). A year of arrivals
is folded onto the slots, and so is what runs on beyond them, as an intent of its
own; a job has about a tenth of a site at most. Homes are drawn; so many jobs as
--movable says may run in any zone, at no cost of moving there.
--slack says how much later than at once a job may end: a share of its length and
a time, as 1x+12h, or gaia: 6 h for what takes up to 2 h, 24 h for the rest.
Carbon is that of the bundled weeks or of --trace (time_utc, a column a zone).

Every row runs in a process of its own, so that its memory is its own. saved is
against starting each job at once, at home, as soon as there is room; share is
how much of the saving of the bound that is. Greedy planners, who let one job
after the other take the best that is left, are measured for comparison: in order
of arrival, with the least slack first, and with the least flexible first, whose
places to choose among are few for its length.

With --instance DIR it plans that directory: carbon.csv (slot, then a column for
each zone, g/kWh, empty is unknown), sites.csv (site,zone,cpus,pue), intents.csv
(id,release_slot,complete_by_slot,duration_slots,cpus,watts,kind,zones,home) and
meta.json ({"slot_minutes": 60}). Slots count from 0. An intent uses slots from
release_slot on and is complete when complete_by_slot begins: all its slots are
below that. kind is rigid or interruptible; zones are separated by |, empty is any;
home, a site or a zone, is where it would run now. What an intent emits is
watts × length of its slots × intensity × PUE. Intents without a place are counted
apart: to the plan each is as bad as three times its worst slots at the worst site.

--out writes a line for each intent that has a place: id,site,slots, the slots
separated by spaces. --certificate writes prices and bound, which
clusy plan verify checks; --write keeps a made-up instance as such a directory.`,
		Example: "clusy bench plan --rows 100k,replan\nclusy bench plan --intents 5000 --seed 7 --util 0.8 --slack gaia --write week\nclusy bench plan --instance week --out placements.csv --certificate week.json\nclusy bench plan --rows util --trace ci.csv --from 2022-02-01 --jobs jobs.csv --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.out = cmd.ErrOrStderr()
			// The planner cannot be interrupted; the program can.
			ended := make(chan error, 1)
			go func() { ended <- b.run(cmd) }()
			select {
			case err := <-ended:
				return err
			case <-cmd.Context().Done():
				return cmd.Context().Err()
			}
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&b.rows, "rows", []string{"all"}, "rows to plan, by name or by how the name begins")
	b.recipe.add(fl)
	fl.IntVar(&b.workers, "workers", runtime.GOMAXPROCS(0), "how many threads plan")
	fl.IntVar(&b.passes, "passes", 0, "passes over the jobs (default: as many as it takes)")
	fl.Float64Var(&b.gap, "gap", 0, "gap that is good enough (default: the planner's, 0.0005)")
	fl.IntVar(&b.repeat, "repeat", 1, "how often to plan each row; the seconds are the medians")
	fl.StringVar(&b.instance, "instance", "", "directory of an instance to plan, instead of rows")
	fl.StringVar(&b.write, "write", "", "directory to write the made-up instance of one row to")
	fl.StringVar(&b.placements, "out", "", "CSV file to write the placements of one row to")
	fl.StringVar(&b.certificate, "certificate", "", "file to write prices and bound to; goes with --instance or --write")
	fl.StringVar(&b.profile, "cpuprofile", "", "file for a profile of the processor while it plans")
	_ = fl.MarkHidden("cpuprofile")
	_ = cmd.MarkFlagDirname("instance")
	_ = cmd.MarkFlagDirname("write")
	for _, name := range []string{"trace", "jobs", "out"} {
		_ = cmd.RegisterFlagCompletionFunc(name, files("csv"))
	}
	_ = cmd.RegisterFlagCompletionFunc("certificate", files("json"))
	return cmd
}

func (b *benchPlan) run(cmd *cobra.Command) error {
	switch {
	case b.workers < 1 || b.workers > 1024 || b.passes < 0 || b.repeat < 1 || !(b.gap >= 0 && b.gap < 1):
		return usage("--workers %d, --passes %d, --repeat %d, --gap %v: give 1 to 1024, 0 or more, 1 or more, and 0 to 1", b.workers, b.passes, b.repeat, b.gap)
	case b.certificate != "" && b.instance == "" && b.write == "":
		return usage("--certificate is of an instance in files: give --instance DIR, or --write DIR to keep the one that is made up")
	}
	if b.instance != "" {
		for _, name := range append([]string{"rows", "write"}, recipeNames...) {
			if cmd.Flags().Changed(name) {
				return usage("--%s is about instances that are made up; leave it out with --instance", name)
			}
		}
		d, err := readWorld(b.instance)
		if err != nil {
			return err
		}
		r := &planRow{Instance: b.instance, Clamped: d.Clamped}
		if d.Clamped > 0 {
			fmt.Fprintf(b.out, "%d intents are due after the last slot: they are planned to be complete when it ends\n", d.Clamped)
		}
		if err := b.measure(r, d.World, nil); err != nil {
			return err
		}
		return b.print(cmd, r)
	}
	rows, err := b.recipe.rows(cmd.Flags(), b.rows)
	if err != nil {
		return err
	}
	if len(rows) > 1 {
		if b.write != "" || b.placements != "" || b.certificate != "" || b.profile != "" {
			return usage("--write, --out and --certificate are of one row, and %d are asked for: name one with --rows", len(rows))
		}
		for _, row := range rows {
			r, err := b.inItsOwnProcess(cmd, row.name)
			if err == nil {
				err = b.print(cmd, r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	row := rows[0]
	r := &planRow{Instance: row.name, Aim: row.aim}
	var w, before *world.World
	err = b.during(row.name+": making the instance", func() (err error) {
		w, err = row.make(cmd.Context(), r)
		return err
	})
	if err == nil && row.disturb > 0 {
		after := *w
		after.Carbon = world.Disturb(w.Carbon, row.seed, row.disturb)
		w, before = &after, w
	}
	if err == nil && b.write != "" {
		err = writeWorld(b.write, w)
	}
	if err == nil {
		err = b.measure(r, w, before)
	}
	if err == nil && row.online != nil {
		err = b.measureOnline(cmd.Context(), r, &row, w)
	}
	if err == nil && row.private != nil {
		err = b.measurePrivate(r, &row, w)
	}
	if err != nil {
		return err
	}
	return b.print(cmd, r)
}

// inItsOwnProcess plans a row in a process of its own: what memory it took at
// most is not known of a part of a process.
func (b *benchPlan) inItsOwnProcess(cmd *cobra.Command, row string) (*planRow, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{"bench", "plan", "--json", "--rows", row}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		if f.Name != "rows" && f.Name != "json" {
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	var out bytes.Buffer
	child := exec.CommandContext(cmd.Context(), self, args...)
	child.Stdout, child.Stderr = &out, b.out
	switch err := child.Run(); {
	case cmd.Context().Err() != nil:
		return nil, cmd.Context().Err()
	case errors.As(err, new(*exec.ExitError)):
		return nil, exitStatus(child.ProcessState.ExitCode()) // it has said why
	case err != nil:
		return nil, fmt.Errorf("plan %s in a process of its own: %w", row, err)
	}
	r := &planRow{}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		return nil, fmt.Errorf("read what came of %s: %w", row, err)
	}
	return r, nil
}

// measure plans w, proves the plan, and writes down what came of it. If there is
// a world of before, that is planned first, and what is measured is planning w
// from where this left off.
func (b *benchPlan) measure(r *planRow, w, before *world.World) error {
	in := w.Instance()
	if err := in.Validate(); err != nil {
		return fmt.Errorf("%s is no instance: %w", r.Instance, err)
	}
	par := parallel(b.workers)
	o := fleet.Options{Passes: b.passes, Gap: b.gap, Par: par}
	if before != nil {
		old := *in // the same jobs
		old.Cost = [][]float64{before.Cost()}
		var first fleet.Solution
		_ = b.during(r.Instance+": the plan before", func() error { first = fleet.Solve(&old, o); return nil })
		o.Warm = &first
	}
	s, err := b.solve(r, in, o)
	if err != nil {
		return err
	}
	r.of(w, in, &s)
	if o.Warm != nil {
		r.Moved = moved(o.Warm, &s)
	}
	var bound float64
	err = b.during(r.Instance+": verifying the plan", func() error {
		bound = boundOf(in, s.Prices, par)
		return holds(in, &s, bound)
	})
	if err != nil {
		return fmt.Errorf("%s: the plan does not hold, and no figure of it is to be believed: %w", r.Instance, err)
	}
	err = b.during(r.Instance+": planning as others do", func() error { return r.compare(w, in, &s) })
	if err == nil && b.placements != "" {
		err = writePlacements(b.placements, w, in, &s)
	}
	if err == nil && b.certificate != "" {
		dir := b.instance
		if dir == "" {
			dir = b.write
		}
		err = writeCertificate(b.certificate, dir, in, &s, bound)
	}
	return err
}

// solve plans, and takes the time.
func (b *benchPlan) solve(r *planRow, in *fleet.Instance, o fleet.Options) (s fleet.Solution, err error) {
	r.Workers, r.Repeats = b.workers, b.repeat
	var walls, cpus []time.Duration
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return s, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return s, err
		}
		defer pprof.StopCPUProfile()
	}
	for range b.repeat {
		s = fleet.Solution{}
		debug.FreeOSMemory()
		_ = b.during(r.Instance+": planning", func() error {
			begin, cpu := time.Now(), cpuTime()
			s = fleet.Solve(in, o)
			walls, cpus = append(walls, time.Since(begin)), append(cpus, cpuTime()-cpu)
			return nil
		})
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	r.Wall, r.CPU = walls[len(walls)/2].Seconds(), cpus[len(cpus)/2].Seconds()
	r.RSS = float64(peakMemory()) / 1e6
	return s, nil
}

// during says what takes longer than two seconds, and that it still does.
func (b *benchPlan) during(what string, f func() error) error {
	ended, silent := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(silent)
		begin, wait := time.Now(), 2*time.Second
		for {
			select {
			case <-ended:
				return
			case <-time.After(wait):
				fmt.Fprintf(b.out, "%s, %.0f s\n", what, time.Since(begin).Seconds())
				wait = 10 * time.Second
			}
		}
	}()
	err := f()
	close(ended)
	<-silent
	return err
}

func (b *benchPlan) print(cmd *cobra.Command, r *planRow) error {
	if asked, _ := cmd.Flags().GetBool("json"); asked {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	return r.show(cmd.OutOrStdout())
}

// parallel returns how so many workers do n things: each takes the next that
// nobody has.
func parallel(workers int) func(n int, f func(i int)) {
	return func(n int, f func(i int)) {
		if workers == 1 || n < 2 {
			for i := range n {
				f(i)
			}
			return
		}
		var next atomic.Int64
		var wait sync.WaitGroup
		for range min(workers, n) {
			wait.Go(func() {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					f(i)
				}
			})
		}
		wait.Wait()
	}
}

// boundOf is fleet.Bound, with the jobs in parts: a bound of parts is what each
// adds to the bound of no jobs.
func boundOf(in *fleet.Instance, p fleet.Prices, par func(n int, f func(i int))) float64 {
	const part = 4096
	none := *in
	none.Jobs, none.After = nil, nil
	empty := fleet.Bound(&none, p)
	parts := make([]float64, (len(in.Jobs)+part-1)/part)
	par(len(parts), func(i int) {
		some := none
		some.Jobs = in.Jobs[i*part : min((i+1)*part, len(in.Jobs))]
		parts[i] = fleet.Bound(&some, p) - empty
	})
	for _, more := range parts {
		empty += more
	}
	return empty
}

// holds returns an error if the plan breaks a promise, or says a better bound
// than its prices give.
func holds(in *fleet.Instance, s *fleet.Solution, bound float64) error {
	if err := fleet.Verify(in, s); err != nil {
		return err
	}
	if !follows(s.Bound, bound) {
		return fmt.Errorf("its prices give the bound %v, it says %v", bound, s.Bound)
	}
	return nil
}

// moved counts the jobs that run at other times or places.
func moved(before, after *fleet.Solution) (n int) {
	for j := range len(after.First) - 1 {
		if !slices.Equal(before.Of(j), after.Of(j)) {
			n++
		}
	}
	return n
}

// bundledOrder are the bundled zones in the order in which rows take them.
var bundledOrder = []string{"DE-LU", "ES", "GB", "US-CAL-CISO", "AU-NSW", "CA-ON", "NO", "US-TEX-ERCO", "SG", "IN-WE"}
