package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/plan/fleet"
)

func planVerifyCommand() *cobra.Command {
	var dir, file, placements, proof, save string
	cmd := &cobra.Command{
		Use:   "verify [PLAN]",
		Short: "Check how near a plan is to the best, from its certificate",
		Long: `Check how near a plan is to the best, from its certificate.

A certificate has a price of every slot at every site. From any prices follows a
bound: what each intent costs at its best if it pays for what it uses, less what
all the room is paid. No plan emits less, whoever made prices and plan. Here that
is derived again, in one pass over the intents, and compared with what the
certificate says: a bound that is higher than its prices give is no bound.

By itself it asks the server for the proof of a plan, the newest if none is named:
all that the plan was decided on, sites, shapes, forecasts and prices. It then
checks here, with nothing from the server but that, that the plan keeps every
promise and how far it is from the best. --save keeps the proof, --proof FILE
checks it again without any server. The server keeps the newest 48.

With --instance it checks a plan of clusy bench plan: the files must be those that
the certificate names by their SHA-256.

With --placements the plan is checked too: each intent is where and when it may
be, no site holds more than it has at any time, and what it emits is what the
certificate says. Without, the cost is only what the certificate says it is.

The exit code is 1 if anything does not hold, and 2 if a file cannot be read.`,
		Example: "clusy plan verify\nclusy plan verify --save proof.json\nclusy plan verify --proof proof.json --json\nclusy plan verify --instance week --certificate week.json --placements placements.csv",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" && file == "" && placements == "" {
				return verifyServed(cmd, args, proof, save)
			}
			if len(args) > 0 || proof != "" || save != "" {
				return usage("a PLAN, --proof and --save are about a server's plans, --instance about one of clusy bench plan")
			}
			if dir == "" || file == "" {
				return usage("give --instance DIR and --certificate FILE: what was planned, and the prices of the plan")
			}
			v, err := verifyPlan(dir, file, placements)
			if err != nil {
				return err
			}
			if err := print(cmd, v, v.show); err != nil {
				return err
			}
			if !v.OK {
				return exitStatus(exitError)
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&dir, "instance", "", "directory of the instance, as clusy bench plan reads it")
	fl.StringVar(&file, "certificate", "", "certificate of the plan, as clusy bench plan writes it")
	fl.StringVar(&placements, "placements", "", "placements of the plan, as clusy bench plan --out writes them")
	fl.StringVar(&proof, "proof", "", "proof of a server's plan, as --save writes it")
	fl.StringVar(&save, "save", "", "keep the proof in this file")
	_ = cmd.RegisterFlagCompletionFunc("proof", files("json"))
	_ = cmd.MarkFlagDirname("instance")
	_ = cmd.RegisterFlagCompletionFunc("certificate", files("json"))
	_ = cmd.RegisterFlagCompletionFunc("placements", files("csv"))
	return cmd
}

// planVerdict is what a certificate is worth.
type planVerdict struct {
	OK       bool     `json:"ok"`
	Problem  string   `json:"problem,omitempty"` // the first thing that does not hold
	Intents  int      `json:"intents"`
	Derived  *float64 `json:"derived_bound,omitempty"` // from the prices
	Bound    float64  `json:"bound"`                   // as the certificate says
	Cost     float64  `json:"cost"`
	Missing  float64  `json:"missing"`
	Unplaced int      `json:"unplaced"`
	Gap      *float64 `json:"gap,omitempty"`     // of the cost to the bound that was derived
	Checked  bool     `json:"placementsChecked"` // and so cost, missing and unplaced
}

// verifyPlan checks a certificate. What cannot be read is an error; what does
// not hold is the verdict.
func verifyPlan(dir, file, placements string) (planVerdict, error) {
	c, err := readCertificate(file)
	if err != nil {
		return planVerdict{}, err
	}
	d, err := readWorld(dir)
	if err != nil {
		return planVerdict{}, err
	}
	in := d.Instance()
	if err := in.Validate(); err != nil {
		return planVerdict{}, usage("--instance %s: %w", dir, err)
	}
	v := planVerdict{Intents: len(in.Jobs), Bound: c.Bound, Cost: c.Cost, Missing: c.Missing, Unplaced: c.Unplaced}
	var plan *fleet.Solution
	if placements != "" {
		s, err := readPlacements(placements, d, in)
		if err != nil {
			return planVerdict{}, err
		}
		plan, v.Checked = &s, true
	}
	if err := v.judge(&c, d, in, plan); err != nil {
		v.Problem = err.Error()
	}
	v.OK = v.Problem == ""
	return v, nil
}

// judge returns the first thing that does not hold.
func (v *planVerdict) judge(c *certificate, d worldDir, in *fleet.Instance, plan *fleet.Solution) error {
	// 1. It is about these files and no others.
	for _, name := range []string{metaFile, carbonFile, sitesFile, intentsFile} {
		if c.Inputs[name] != d.Digests[name] {
			return fmt.Errorf("%s is not the file that was planned: its SHA-256 is %s, the certificate has %s", name, d.Digests[name], shorten(c.Inputs[name]))
		}
	}
	// 2. The bound follows from the prices.
	prices, err := c.pricesFor(in)
	if err != nil {
		return err
	}
	derived := boundOf(in, prices, parallel(runtime.GOMAXPROCS(0)))
	v.Derived = &derived
	if !follows(c.Bound, derived) {
		return fmt.Errorf("the bound does not follow: the prices give %.12g, the certificate says %.12g", derived, c.Bound)
	}
	// 3. The plan is one, and costs what it should.
	if plan != nil {
		plan.Cost, plan.Missing, plan.Unplaced = c.Cost, c.Missing, c.Unplaced
		if err := fleet.Verify(in, plan); err != nil {
			return fmt.Errorf("the plan does not hold: %s", named(err, d))
		}
	}
	// 4. The gap is what it comes to.
	s := fleet.Solution{Cost: c.Cost, Missing: c.Missing, Bound: derived}
	gap := s.Gap()
	v.Gap = &gap
	if gap < -1e-9 {
		return fmt.Errorf("the plan costs %.12g, less than any can: %.12g; so its cost is not what it says", c.Cost+c.Missing, derived)
	}
	if stated := gapOf(*c); !(c.Gap >= gap-1e-9) || !(c.Gap >= stated-1e-9) {
		return fmt.Errorf("the gap is %.9g, the certificate says %.9g", max(gap, stated), c.Gap)
	}
	return nil
}

// named says which intent an error of the verifier is about, by its id.
func named(err error, d worldDir) string {
	var j int
	if n, _ := fmt.Sscanf(err.Error(), "job %d", &j); n == 1 && j >= 0 && j < len(d.Intents) {
		return err.Error() + " (" + intentsFile + " has it as " + strconv.Quote(d.ID(j)) + ")"
	}
	return err.Error()
}

func (v planVerdict) show(w io.Writer) error {
	if !v.OK {
		fmt.Fprintf(w, "%s %s\n", paint(w, red, "✗"), v.Problem)
		return nil
	}
	if v.Derived == nil || v.Gap == nil {
		return errors.New("a verdict that holds has a bound and a gap")
	}
	fmt.Fprintf(w, "%s the bound follows from the prices: no plan of these %d intents emits less than %.9g g\n", paint(w, green, "✓"), v.Intents, *v.Derived)
	if v.Checked {
		fmt.Fprintf(w, "%s the plan keeps every promise and emits %.9g g", paint(w, green, "✓"), v.Cost)
	} else {
		fmt.Fprintf(w, "· the plan was not looked at; it is said to emit %.9g g", v.Cost)
	}
	if v.Unplaced > 0 {
		fmt.Fprintf(w, "; %d intents have no place, charged %.9g g", v.Unplaced, v.Missing)
	}
	fmt.Fprintf(w, "\n  gap %s at most\n", percentOf(*v.Gap, 4))
	return nil
}
