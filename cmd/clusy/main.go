// Command clusy is the whole product in one binary: the server, the enclave
// agent, and the command line that people and scripts use. This folder is the
// only place that reads flags, environment and configuration; each subcommand
// is a file.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/problem"
)

// Exit codes are stable: scripts may rely on them.
const (
	exitOK         = 0
	exitError      = 1 // something went wrong
	exitUsage      = 2 // the command or a file is not as it should be
	exitRefused    = 3 // the server refused: no permission, no such thing, not in this state
	exitInfeasible = 4 // the intent cannot be done in time, place or budget
	exitFailed     = 6 // the workload itself failed, was cancelled or is lost
)

func main() {
	// A shim is this same binary, and must stay as small as it can.
	if len(os.Args) > 1 && os.Args[1] == "gang" {
		os.Exit(executor.GangMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "shim" {
		os.Exit(executor.ShimMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := fang.Execute(ctx, root(), fang.WithVersion(version()), fang.WithErrorHandler(showError), fang.WithoutVersion(), fang.WithoutManpage())
	stop()
	os.Exit(exitCode(err))
}

// usageError marks an error that the caller made by how the command was given.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// workloadError says how a workload ended that did not end well.
type workloadError struct{ state, cause string }

func (e workloadError) Error() string {
	if e.cause == "" {
		return "the workload " + e.state
	}
	return "the workload " + e.state + ": " + e.cause
}

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var (
		bad      usageError
		file     *intent.Error
		answer   *clusy.Problem
		workload workloadError
		done     exitStatus
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &done):
		return int(done)
	case errors.As(err, &bad), errors.As(err, &file):
		return exitUsage
	case errors.As(err, &workload):
		return exitFailed
	case errors.As(err, &answer):
		return exitOfStatus(answer)
	case problem.Is(err, problem.Infeasible):
		return exitInfeasible
	case isUsage(err):
		return exitUsage
	}
	return exitError
}

// exitStatus is an exit code whose reason has been shown already.
type exitStatus int

func (e exitStatus) Error() string { return "" }

func exitOfStatus(p *clusy.Problem) int {
	switch {
	case p.Type == "https://clusy.io/problems/"+string(problem.Infeasible):
		return exitInfeasible
	case p.Status == 400 || p.Status == 422:
		return exitUsage
	case p.Status < 500:
		return exitRefused
	}
	return exitError
}

// isUsage finds the errors of the flag library, which have no type.
func isUsage(err error) bool {
	for _, begin := range []string{"unknown command", "unknown flag", "unknown shorthand", "flag needs an argument", "invalid argument", "accepts ", "requires ", "required flag"} {
		if len(err.Error()) >= len(begin) && err.Error()[:len(begin)] == begin {
			return true
		}
	}
	return false
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clusy",
		Short: "Run work when the electricity is clean, and never late",
		Long: `Clusy runs work when and where the electricity is clean, and never late.

You declare an intent: what to run, how long it takes, by when it must be
complete. Clusy decides when and where it runs so that it emits as little as
possible, runs it, and proves what was saved.

  clusy demo                         see it work, in two minutes, on real grid data
  clusy serve --zone DE-LU           run a server for this machine
  clusy init                         write a first intent
  clusy run intent.yaml              carry out an intent
  clusy run --by +10h --for 2h -- python train.py

Exit codes: 0 done · 1 error · 2 the command or file is wrong · 3 refused ·
4 cannot be done in time · 6 the workload itself failed.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.PersistentFlags().String("url", "", "server to talk to (CLUSY_URL; default "+defaultURL+")")
	cmd.PersistentFlags().String("token-file", "", "file that holds the token (else CLUSY_TOKEN)")
	cmd.PersistentFlags().Bool("json", false, "print JSON, for programs")
	cmd.AddGroup(&cobra.Group{ID: "start", Title: "Start here"}, &cobra.Group{ID: "work", Title: "Workloads"}, &cobra.Group{ID: "know", Title: "Grid, sites and ledger"}, &cobra.Group{ID: "measure", Title: "Measure"}, &cobra.Group{ID: "tools", Title: "For your shell"})
	add := func(group string, cs ...*cobra.Command) {
		for _, c := range cs {
			c.GroupID = group
			cmd.AddCommand(c)
		}
	}
	add("start", demoCommand(), serveCommand(), consoleCommand(), initCommand(), doctorCommand(), versionCommand())
	add("work", runCommand(), planCommand(), explainCommand(), listCommand(), getCommand(), waitCommand(), logsCommand(), eventsCommand(), cancelCommand(), classesCommand(), queueCommand())
	add("know", zonesCommand(), regionsCommand(), signalsCommand(), sitesCommand(), hardwareCommand(), ledgerCommand(), storeCommand(), schemaCommand(), budgetCommand())
	add("measure", benchCommand(), backtestCommand(), simCommand())
	add("tools", manCommand())
	cmd.SetCompletionCommandGroupID("tools")
	cmd.SetHelpCommandGroupID("tools")
	complete(cmd)
	return cmd
}
