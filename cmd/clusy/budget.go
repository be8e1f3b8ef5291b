package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
)

func budgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "budget",
		Short: "Set budgets of carbon, energy, money and hours, and see how they stand",
		Long: `Set budgets of carbon, energy, money and hours, and see how they stand.

A budget is of all your work or of one queue, for a day, week, month or quarter.
What is spent the ledger says, what is booked the plan. Work that would take it
beyond its limit is refused, with the earliest time that has room (hold); or it is
admitted and put on record (alert); or it is only counted (run).`,
		Example: "clusy budget list\nclusy budget set team-nlp --limit \"500 kgCO2e\" --period month",
	}
	cmd.AddCommand(budgetSetCommand(), budgetListCommand(), budgetShowCommand(), budgetRemoveCommand())
	return cmd
}

// budgetUnits are what a limit may be written in, with the measure and how many
// of it one is.
var budgetUnits = []struct {
	unit, measure string
	times         float64
}{
	{"gCO2e", "gCO2e", 1}, {"kgCO2e", "gCO2e", 1e3}, {"tCO2e", "gCO2e", 1e6}, {"g", "gCO2e", 1}, {"kg", "gCO2e", 1e3}, {"t", "gCO2e", 1e6},
	{"Wh", "kWh", 1e-3}, {"kWh", "kWh", 1}, {"MWh", "kWh", 1e3}, {"gpu-hours", "gpu-hours", 1}, {"cpu-hours", "cpu-hours", 1},
}

// budgetLimit reads a limit: 500 kgCO2e, 20kWh, 40 EUR, 100 gpu-hours.
func budgetLimit(text string) (s clusy.BudgetSettings, err error) {
	text = strings.TrimSpace(text)
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		i = len(text)
	}
	unit := strings.TrimSpace(text[i:])
	n, err := strconv.ParseFloat(text[:i], 64)
	if err != nil || math.IsInf(n, 0) {
		return s, usage("--limit: %q is no amount; write 500 kgCO2e, 20 kWh, 40 EUR, 100 gpu-hours or 400 cpu-hours", text)
	}
	for _, u := range budgetUnits {
		if u.unit == unit {
			return clusy.BudgetSettings{Measure: u.measure, Limit: n * u.times}, nil
		}
	}
	if len(unit) == 3 && unit == strings.ToUpper(unit) {
		return clusy.BudgetSettings{Measure: "money", Limit: n, Currency: unit}, nil
	}
	return s, usage("--limit: %q has no unit that a budget can be of; write 500 kgCO2e, 20 kWh, 40 EUR, 100 gpu-hours or 400 cpu-hours", text)
}

func budgetSetCommand() *cobra.Command {
	var limit, queue, period, then, offset string
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Set a budget, or change it",
		Long: `Set a budget, or change it to exactly what is given.

--limit has the unit that says what it is of: gCO2e, kgCO2e, tCO2e; Wh, kWh, MWh;
gpu-hours, cpu-hours; or a currency, as 40 EUR, for electricity.

--then says what becomes of work that would take it beyond the limit: hold refuses
it, and names the earliest time that has room; alert admits it and puts it on
record; run admits it and only counts. What is admitted is never late, moved to a
worse place or dropped for a budget. It needs an admin's token.`,
		Example: "clusy budget set team-nlp --limit \"500 kgCO2e\" --period month\nclusy budget set night-power --queue nightly --limit \"40 EUR\" --period week --utc-offset +01:00 --then alert",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := budgetLimit(limit)
			if err != nil {
				return err
			}
			s.Queue, s.Period, s.Then, s.UTCOffset = queue, period, then, offset
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			b, err := c.SetBudget(cmd.Context(), args[0], s)
			if err != nil {
				return err
			}
			return print(cmd, b, func(out io.Writer) error { return budgetText(out, b) })
		},
	}
	cmd.Flags().StringVar(&limit, "limit", "", "how much in a period, with its unit: 500 kgCO2e, 20 kWh, 40 EUR, 100 gpu-hours")
	cmd.Flags().StringVar(&queue, "queue", "", "of the work in this queue alone (default: of all)")
	cmd.Flags().StringVar(&period, "period", "month", "how often it begins anew: day, week, month, quarter")
	cmd.Flags().StringVar(&then, "then", "hold", "what becomes of work that would exceed it: hold, alert, run")
	cmd.Flags().StringVar(&offset, "utc-offset", "+00:00", "of the time zone in which periods begin: +01:00")
	if err := cmd.MarkFlagRequired("limit"); err != nil {
		panic(err) // the flag stands above
	}
	return cmd
}

func budgetListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List budgets with what is spent, booked and left",
		Long: `List budgets with what is spent, booked and left in the period of now.

The bar shows what is spent (▓, by the ledger), booked (▒, by the plan in force)
and left (░). USED UP is when it is reckoned to be used up, if that is within the
period: from what is spent and booked, and the rate of the last 4 weeks.`,
		Example: "clusy budget list\nclusy budget list --json | jq '.[] | select(.exceeded).name'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			p, err := c.Budgets(cmd.Context(), time.Time{})
			if err != nil {
				return err
			}
			return print(cmd, p.Items, func(out io.Writer) error {
				if len(p.Items) == 0 {
					fmt.Fprintln(out, "There are no budgets. An admin sets one: clusy budget set NAME --limit \"500 kgCO2e\"")
					return nil
				}
				rows := [][]string{{"NAME", "QUEUE", "PERIOD", "THEN", "", "SPENT", "BOOKED", "LEFT", "OF", "USED UP"}}
				for _, b := range p.Items {
					queue, until := b.Queue, "–"
					if queue == "" {
						queue = "all"
					}
					if !b.Exhausted.IsZero() {
						until = local(b.Exhausted)
					}
					rows = append(rows, []string{b.Name, queue, b.Period, b.Then, budgetBar(b, 12),
						budgetAmount(b, b.Spent), budgetAmount(b, b.Booked), budgetAmount(b, b.Left), budgetAmount(b, b.Limit), until})
				}
				return table(out, rows)
			})
		},
	}
}

func budgetShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show how a budget stands, and when it will be used up",
		Long: `Show how a budget stands in its period, and when it will be used up.

Spent is what the ledger has of the period, booked what the plan in force is to
take, and what is metered and not in the ledger yet. Running time whose figure is
not known is in neither; how much there is of it is said.`,
		Example: "clusy budget show team-nlp\nclusy budget show team-nlp --json | jq .left",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			b, err := c.Budget(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return print(cmd, b, func(out io.Writer) error { return budgetText(out, b) })
		},
	}
}

func budgetRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a budget",
		Long:    "Remove a budget. What it refused stays refused until it is submitted again.\nThe removal is on record. It needs an admin's token.",
		Example: "clusy budget remove team-nlp",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			if err := c.RemoveBudget(cmd.Context(), args[0]); err != nil {
				return err
			}
			return print(cmd, clusy.Removed{Name: args[0]}, func(out io.Writer) error {
				fmt.Fprintf(out, "Removed budget %s.\n", args[0])
				return nil
			})
		},
	}
}

// budgetBar draws what is spent (▓), booked (▒) and left (░) of a budget.
func budgetBar(b clusy.Budget, width int) string {
	cells := func(x float64) int {
		if b.Limit <= 0 {
			return width
		}
		return int(math.Ceil(min(max(x/b.Limit, 0), 1)*float64(width) - 1e-9))
	}
	spent := cells(b.Spent)
	taken := max(cells(b.Spent+b.Booked), spent)
	return strings.Repeat("▓", spent) + strings.Repeat("▒", taken-spent) + strings.Repeat("░", width-taken)
}

// budgetAmount writes an amount of what a budget is of.
func budgetAmount(b clusy.Budget, x float64) string {
	switch b.Measure {
	case "gCO2e":
		return grams(x)
	case "kWh":
		return fmt.Sprintf("%.4g kWh", x)
	case "money":
		return fmt.Sprintf("%.2f %s", x, b.Currency)
	case "gpu-hours":
		return fmt.Sprintf("%.4g GPU-h", x)
	}
	return fmt.Sprintf("%.4g CPU-h", x)
}

func budgetText(out io.Writer, b clusy.Budget) error {
	whose := "all work"
	if b.Queue != "" {
		whose = "queue " + b.Queue
	}
	fmt.Fprintf(out, "Budget %s: %s a %s for %s; beyond it: %s\n", b.Name, budgetAmount(b, b.Limit), b.Period, whose, b.Then)
	fmt.Fprintf(out, "  %s to %s\n\n", local(b.From), local(b.To))
	fmt.Fprintf(out, "  %s\n", budgetBar(b, 40))
	fmt.Fprintf(out, "  ▓ spent %s   ▒ booked %s   ░ left %s\n", budgetAmount(b, b.Spent), budgetAmount(b, b.Booked), budgetAmount(b, max(b.Left, 0)))
	if b.Exceeded {
		fmt.Fprintf(out, "  %s\n", paint(out, red, "exceeded by "+budgetAmount(b, -b.Left)))
	}
	if b.Unknown > 0 {
		fmt.Fprintf(out, "  unknown: %s of running time has no figure, and is in none of these\n", span(time.Duration(b.Unknown*float64(time.Second))))
	}
	if !b.Exhausted.IsZero() {
		fmt.Fprintf(out, "\n  Used up on %s.", local(b.Exhausted))
	} else {
		fmt.Fprint(out, "\n ")
	}
	fmt.Fprintf(out, " %s\n", b.Why)
	return nil
}
