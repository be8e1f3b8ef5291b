package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/plan"
)

// proofVerdict is what a plan of a server is worth, doubted by ourselves.
type proofVerdict struct {
	clusy.Certificate
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"` // the first thing that does not hold
	Placed  int    `json:"placed"`            // workloads that the plan has a place for
	Prices  int    `json:"prices"`            // things at sites that are scarce at some time
	Saved   string `json:"saved,omitempty"`   // the file that the proof is in now
}

// longestProofFile is how long a file with a proof may be.
const longestProofFile = 384 << 20

// verifyServed is clusy plan verify of a server's plan, or of a kept proof.
func verifyServed(cmd *cobra.Command, args []string, file, save string) error {
	id := ""
	if len(args) > 0 {
		id = args[0]
	}
	var c *clusy.Client
	switch {
	case file != "" && (id != "" || save != ""):
		return usage("--proof is a file of its own: no PLAN and no --save beside it")
	case file == "":
		var err error
		if c, err = connect(cmd); err != nil {
			return err
		}
	}
	v, err := verifyProof(cmd.Context(), c, id, file, save)
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
}

// verifyProof doubts a plan of a server again, with nothing but its proof: the
// one in a file, or a server's own, the newest if plan is empty.
func verifyProof(ctx context.Context, c *clusy.Client, id, file, save string) (v proofVerdict, err error) {
	var p clusy.PlanProof
	switch {
	case file != "":
		p, err = readProof(file)
	case id == "":
		var all clusy.Page[clusy.Certificate]
		if all, err = c.Certificates(ctx); err == nil && len(all.Items) == 0 {
			return v, usage("this server has made no plan yet: submit an intent first (clusy run)")
		}
		if err == nil {
			p, err = c.PlanProof(ctx, all.Items[0].Plan)
		}
	default:
		p, err = c.PlanProof(ctx, id)
	}
	if err != nil {
		return v, err
	}
	v.Certificate = p.Certificate
	if save != "" {
		text, err := json.Marshal(p)
		if err != nil {
			return v, err
		}
		if err := os.WriteFile(save, append(text, '\n'), 0o600); err != nil {
			return v, fmt.Errorf("save the proof: %w", err)
		}
		v.Saved = save
	}
	proof, err := plan.Unpack(plan.Packed{ProofHead: plan.ProofHead{Plan: p.Plan, Digest: p.Digest}, Body: p.Body})
	if err == nil && proof.Plan.ID != p.Plan {
		err = fmt.Errorf("it is the proof of plan %s", proof.Plan.ID)
	}
	if err == nil {
		err = proof.Verify()
	}
	if err != nil {
		v.Problem = err.Error()
		return v, nil
	}
	// What is shown is what was derived, not what was said.
	own := proof.Plan.Certificate
	v.OK, v.Placed, v.Prices = true, len(proof.Plan.Placements), len(own.Prices)
	carbon, bound := float64(own.Carbon)/1000, float64(own.Bound)/1000
	v.At, v.Items, v.Given, v.Carbon, v.Bound, v.Gap = proof.Now, &own.Items, &own.Given, &carbon, &bound, nil
	if gap, known := own.Gap(); known {
		v.Gap = &gap
	}
	return v, nil
}

func readProof(file string) (p clusy.PlanProof, err error) {
	f, err := os.Open(file)
	if err != nil {
		return p, usage("%w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestProofFile+1))
	switch {
	case err != nil:
		return p, fmt.Errorf("read %s: %w", file, err)
	case len(text) > longestProofFile:
		return p, usage("%s is longer than %d MB: it is no proof", file, longestProofFile>>20)
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Plan == "" || len(p.Body) == 0 {
		return p, usage("%s is not a proof as clusy plan verify --save writes it", file)
	}
	return p, nil
}

func (v proofVerdict) show(w io.Writer) error {
	if !v.OK {
		fmt.Fprintf(w, "%s plan %s does not hold: %s\n", paint(w, red, "✗"), v.Plan[:min(12, len(v.Plan))], v.Problem)
		return nil
	}
	ok := paint(w, green, "✓")
	fmt.Fprintf(w, "%s plan %s of %s keeps every promise to %s\n", ok, v.Plan[:min(12, len(v.Plan))], v.At.UTC().Format(time.RFC3339), countOf(v.Placed, "workload"))
	fmt.Fprintf(w, "%s no plan of the %s it may move emits less than %s: that follows from %s\n", ok, countOf(*v.Items, "workload"), grams(*v.Bound), countOf(v.Prices, "list of prices"))
	if *v.Given > 0 {
		fmt.Fprintf(w, "  %-12s %s, whose time or site is not a matter of carbon\n", "given", countOf(*v.Given, "workload"))
	}
	if v.Gap != nil {
		fmt.Fprintf(w, "  %-12s %s are expected, at most %s above the best that is possible\n", "gap", grams(*v.Carbon), percentOf(*v.Gap, 2))
	}
	fmt.Fprintf(w, "  %-12s %s, as the record of the plan in the log must have it\n", "digest", v.Digest)
	if v.Saved != "" {
		fmt.Fprintf(w, "  %-12s all that it was decided on is in %s\n", "saved", v.Saved)
	}
	return nil
}

// countOf is so many of a thing.
func countOf(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "list of prices":
		return fmt.Sprintf("%d lists of prices", n)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
