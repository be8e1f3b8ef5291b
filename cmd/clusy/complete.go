package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/workload"
)

// patience is how long a shell that completes a word waits for a server. What
// has not come by then is left out without a word.
const patience = 800 * time.Millisecond

// complete tells the shell what may stand where, for every command. What only
// a server knows is asked of it where CLUSY_TOKEN is set.
func complete(root *cobra.Command) {
	walk(root, func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "clusy ")
		switch path {
		case "get", "explain", "logs", "cancel", "wait", "events":
			cmd.ValidArgsFunction = one(workloadIDs(path == "cancel"))
		case "run", "plan":
			cmd.ValidArgsFunction = one(files("yaml", "yml", "json"))
		case "init":
			cmd.ValidArgsFunction = one(files("yaml", "yml"))
		case "zones":
			cmd.ValidArgsFunction = one(zoneIDs)
		case "classes":
			cmd.ValidArgsFunction = one(classNames)
		case "regions":
			cmd.ValidArgsFunction = one(regionIDs)
		default:
			if !cmd.HasSubCommands() {
				cmd.ValidArgsFunction = cobra.NoFileCompletions
			}
		}
		flag := func(name string, f cobra.CompletionFunc) {
			if cmd.Flags().Lookup(name) != nil && cmd.Name() != "clusy" {
				_ = cmd.RegisterFlagCompletionFunc(name, f)
			}
		}
		flag("state", listed(states))
		flag("in", listed(sitesAndZones))
		flag("class", classNames)
		flag("workload", workloadIDs(false))
		flag("zone", places)
		flag("site", siteZone)
		flag("signals", files("csv", "json"))
		for name, words := range map[string][]string{
			"by": {"+2h\tin two hours", "+10h\tovernight", "+24h\tin a day", "+7d\tin a week"}, "complete-by": {"+2h\tin two hours", "+6h\tin six hours", "+24h\tin a day"},
			"for": {"30m", "2h", "6h"}, "window": {"30m", "1h", "2h"}, "power": {"100W", "300W", "2.4kW"}, "energy": {"500Wh", "2.4kWh"},
			"min-saving": {"5%\tdo not wait for less", "10%\tdo not wait for less", "100%\tdo not wait at all"}, "min-free": {"500MiB", "5GiB"},
			"listen": {defaultAddress}, "speed": {"20m", "1h"}, "cpus": nil, "gpu": nil, "name": nil, "key": nil, "limit": nil, "retries": nil, "attempt": nil, "tail": nil,
		} {
			flag(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
		}
		for _, name := range []string{"data", "tables"} {
			if cmd.Flags().Lookup(name) != nil {
				_ = cmd.MarkFlagDirname(name)
			}
		}
	})
	_ = root.RegisterFlagCompletionFunc("url", cobra.FixedCompletions([]string{defaultURL}, cobra.ShellCompDirectiveNoFileComp))
}

func walk(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, f)
	}
}

// one completes the first argument and no further ones.
func one(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, word)
	}
}

func files(ends ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(ends, cobra.ShellCompDirectiveFilterFileExt)
}

// listed completes the last of several words with commas between them.
func listed(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		before := word[:strings.LastIndexByte(word, ',')+1]
		taken := strings.Split(before, ",")
		all, how := f(cmd, args, word[len(before):])
		var out []string
		for _, w := range all {
			if id, _, _ := strings.Cut(w, "\t"); !slices.Contains(taken, id) {
				out = append(out, before+w)
			}
		}
		return out, how | cobra.ShellCompDirectiveNoSpace
	}
}

// asked calls f with a client, if there is a token and the server is quick.
func asked(cmd *cobra.Command, f func(ctx context.Context, c *clusy.Client) []string) ([]string, cobra.ShellCompDirective) {
	c, err := connect(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f(ctx, c), cobra.ShellCompDirectiveNoFileComp
}

// classNames completes names of classes that have run.
func classNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return asked(cmd, func(ctx context.Context, c *clusy.Client) (names []string) {
		p, err := c.Classes(ctx, "", 100)
		if err != nil {
			return nil
		}
		for _, k := range p.Items {
			names = append(names, k.Class+"\t"+countOf(k.Runs, "run"))
		}
		return names
	})
}

// workloadIDs completes ids of the newest workloads, with their states.
func workloadIDs(open bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return asked(cmd, func(ctx context.Context, c *clusy.Client) (ids []string) {
			p, err := c.Workloads(ctx, nil, "", 100)
			if err != nil {
				return nil
			}
			for _, w := range p.Items {
				if strings.HasPrefix(w.ID, word) && !(open && terminal(w.State)) {
					ids = append(ids, w.ID+"\t"+describe(w))
				}
			}
			return ids
		})
	}
}

// sitesAndZones completes what where.allow may name.
func sitesAndZones(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return asked(cmd, func(ctx context.Context, c *clusy.Client) (out []string) {
		p, err := c.Sites(ctx)
		if err != nil {
			return nil
		}
		var zones []string
		for _, s := range p.Items {
			out = append(out, s.ID+"\tsite in "+s.Zone)
			if !slices.Contains(zones, s.Zone) {
				zones = append(zones, s.Zone)
				out = append(out, s.Zone+"\tevery site in this zone")
			}
		}
		return slices.DeleteFunc(out, func(s string) bool { return !strings.HasPrefix(s, word) })
	})
}

// zoneIDs completes zones: these ship with the binary, and no server is asked.
func zoneIDs(cmd *cobra.Command, _ []string, word string) (out []string, _ cobra.ShellCompDirective) {
	known, err := openBook(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, z := range known.zones {
		if strings.HasPrefix(strings.ToLower(z.Zone), strings.ToLower(word)) {
			out = append(out, z.Zone+"\t"+z.Name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// regionIDs completes cloud regions, which ship with the binary too.
func regionIDs(cmd *cobra.Command, _ []string, word string) (out []string, _ cobra.ShellCompDirective) {
	known, err := openBook(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, r := range known.tables.Regions() {
		if strings.HasPrefix(strings.ToLower(r.String()), strings.ToLower(word)) {
			out = append(out, r.String()+"\t"+r.Place+", "+string(r.Zone))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// places completes zones, and cloud regions once a provider has been begun.
func places(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	out, how := zoneIDs(cmd, args, word)
	if len(word) > 1 {
		regions, _ := regionIDs(cmd, args, word)
		out = append(out, regions...)
	}
	return out, how
}

// siteZone completes NAME=ZONE from the = on.
func siteZone(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	name, zone, ok := strings.Cut(word, "=")
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	out, how := places(cmd, args, zone)
	for i := range out {
		out[i] = name + "=" + out[i]
	}
	return out, how
}

var stateMeans = map[workload.State]string{
	workload.Accepted: "taken, not yet planned", workload.Planned: "waits for its time", workload.Offered: "offered to its site",
	workload.Held: "held by its site, which starts it", workload.Releasing: "its site is asked to let it go", workload.Running: "runs",
	workload.Suspended: "paused until it is cleaner", workload.SiteSilent: "its site does not answer", workload.Succeeded: "ended with exit code 0",
	workload.Failed: "ended, and not with exit code 0", workload.Cancelled: "cancelled by its owner", workload.Expired: "was not started in time",
}

func states(_ *cobra.Command, _ []string, word string) (out []string, _ cobra.ShellCompDirective) {
	for _, s := range workload.States() {
		if strings.HasPrefix(string(s), word) {
			out = append(out, string(s)+"\t"+stateMeans[s])
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// checkStates refuses a state that there is none of, and says which was meant.
func checkStates(given []string) error {
	for _, g := range given {
		if slices.Contains(workload.States(), workload.State(g)) {
			continue
		}
		best, least := "", 4
		var all []string
		for _, s := range workload.States() {
			all = append(all, string(s))
			if d := edits(strings.ToLower(g), string(s)); d < least {
				best, least = string(s), d
			}
		}
		if best != "" {
			return usage("there is no state %q; did you mean %s?", g, best)
		}
		return usage("there is no state %q; there are %s", g, strings.Join(all, ", "))
	}
	return nil
}
