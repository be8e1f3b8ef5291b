package api

import (
	"context"
	"strings"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
)

// Routes is every door with its lock in the same row. TestDoors tries each
// one without a key, with a wrong key and with another tenant's.
var Routes = []Route{
	door("GET", "/livez", access.Public, "status", "Is the process alive", (*Server).livez),
	door("GET", "/readyz", access.Public, "status", "Can it serve", (*Server).readyz),
	door("GET", "/v1/status", access.StatusRead, "status", "What server this is and what time it goes by", (*Server).status),

	door("POST", "/v1/sessions", access.Public, "sessions", "Exchange a one-time sign-in code for a browser's session", (*Server).openSession),
	door("GET", "/v1/session", access.Public, "sessions", "Who the caller is, and what it may do until when; nobody, without a principal", (*Server).session),
	door("DELETE", "/v1/session", access.SessionRead, "sessions", "Sign the browser out", (*Server).closeSession),
	door("POST", "/v1/session-links", access.SessionLink, "sessions", "Make a one-time link that signs a browser in as the caller", (*Server).linkSession),

	door("POST", "/v1/workloads", access.WorkloadSubmit, "workloads", "Submit an intent", (*Server).submit),
	door("GET", "/v1/workloads", access.WorkloadRead, "workloads", "List workloads, newest first", (*Server).workloads),
	door("GET", "/v1/timeline", access.WorkloadRead, "workloads", "List workloads as bars of a timeline, newest first", (*Server).timeline),
	door("GET", "/v1/counts", access.WorkloadRead, "workloads", "How many workloads there are in each state", (*Server).counts),
	door("GET", "/v1/events", access.EventRead, "workloads", "What is on record of all workloads, oldest first; with watch, as it comes", (*Server).allEvents).described(describeEvents),
	door("GET", "/v1/workloads/{id}", access.WorkloadRead, "workloads", "Get a workload", (*Server).workload),
	door("POST", "/v1/workloads/{id}/cancel", access.WorkloadCancel, "workloads", "Cancel a workload", (*Server).cancel),
	door("GET", "/v1/workloads/{id}/decisions", access.WorkloadRead, "workloads", "What plans have decided about it, newest first", (*Server).decisions),
	door("GET", "/v1/workloads/{id}/events", access.WorkloadRead, "workloads", "What is on record of it, oldest first", (*Server).events),
	door("POST", "/v1/plans", access.PlanDryRun, "workloads", "What would become of a shape: changes nothing", (*Server).dryRun),

	door("GET", "/v1/workloads/{id}/quotes", access.WorkloadRead, "workloads", "What more time would save it", (*Server).quotes),

	door("GET", "/v1/classes", access.ClassRead, "workloads", "How long work takes, class by class", (*Server).classes),
	door("GET", "/v1/classes/{class}", access.ClassRead, "workloads", "How long the work of a class takes, and its newest runs", (*Server).class),

	door("POST", "/v1/groups", access.WorkloadSubmit, "groups", "Submit several intents: all are admitted, or none", (*Server).submitGroup).sized(maxGroupBody),
	door("GET", "/v1/groups/{group}", access.WorkloadRead, "groups", "Get a group with all its members", (*Server).group),
	door("POST", "/v1/groups/{group}/cancel", access.WorkloadCancel, "groups", "Cancel all members of a group that have not ended", (*Server).cancelGroup),
	door("POST", "/v1/group-plans", access.PlanDryRun, "groups", "What would become of a group: changes nothing", (*Server).dryRunGroup),

	door("GET", "/v1/plans", access.PlanRead, "plans", "How far the newest plans are from the best possible, newest first", (*Server).plans),
	door("GET", "/v1/plans/{plan}/proof", access.PlanProve, "plans", "All that a plan was decided on, to be doubted offline", (*Server).planProof),

	door("GET", "/v1/zones", access.SignalRead, "signals", "Grid zones, with what is known of each", (*Server).zones),
	door("GET", "/v1/outlooks", access.SignalRead, "signals", "The carbon intensity of every zone with a signal, over time", (*Server).outlooks),
	door("GET", "/v1/zones/{zone}/intensity", access.SignalRead, "signals", "A zone's carbon intensity over time", (*Server).intensity),
	door("GET", "/v1/zones/{zone}/forecast", access.SignalRead, "signals", "What was expected of a zone at some time, as it was then", (*Server).forecast),
	door("GET", "/v1/zones/{zone}/prices", access.SignalRead, "signals", "A zone's wholesale price of electricity over time", (*Server).prices),
	door("GET", "/v1/signals", access.SignalRead, "signals", "How the sources of carbon intensity and price are doing", (*Server).signals),

	sdkDoor("GET", "/emissions/bylocation", "Carbon Aware SDK: what was measured at a place", (*Server).sdkEmissionsOfOne),
	sdkDoor("GET", "/emissions/bylocations", "Carbon Aware SDK: what was measured at several places", (*Server).sdkEmissions),
	sdkDoor("GET", "/emissions/bylocations/best", "Carbon Aware SDK: the least that was measured", (*Server).sdkBest),
	sdkDoor("GET", "/emissions/forecasts/current", "Carbon Aware SDK: forecasts and their best windows", (*Server).sdkCurrent),
	sdkDoor("POST", "/emissions/forecasts/batch", "Carbon Aware SDK: forecasts as they were once in use", (*Server).sdkForecasts),
	sdkDoor("GET", "/emissions/average-carbon-intensity", "Carbon Aware SDK: the mean of a time", (*Server).sdkAverage),
	sdkDoor("POST", "/emissions/average-carbon-intensity/batch", "Carbon Aware SDK: the means of several times", (*Server).sdkAverages),
	sdkDoor("GET", "/locations", "Carbon Aware SDK: places that there is a signal of", (*Server).sdkLocations),
	foreignDoor("GET", "/health", access.Public, "Carbon Aware SDK: is it well", (*Server).sdkHealth),
	foreignDoor("GET", "/metrics", access.MetricsRead, "Figures for Prometheus", (*Server).metrics),

	door("GET", "/v1/sites", access.SiteRead, "sites", "Places that can run workloads", (*Server).sites),
	door("POST", "/v1/sites/{site}/questions", access.WorkloadRead, "sites", "Ask the enclave of a site; the reply is sealed to the asker", (*Server).question),
	door("POST", "/v1/sites/{site}/sync", access.SiteSync, "sites", "An agent's call: how things stand, against what to do", (*Server).sync),

	door("GET", "/v1/queues", access.QueueRead, "budgets", "Queues, with what they take", (*Server).queues),
	door("PUT", "/v1/queues/{queue}", access.QueueWrite, "budgets", "Set a queue up, or change it to exactly what is given", (*Server).setQueue),
	door("GET", "/v1/queues/{queue}", access.QueueRead, "budgets", "Get a queue", (*Server).queue),
	door("DELETE", "/v1/queues/{queue}", access.QueueWrite, "budgets", "Remove a queue; its work stays", (*Server).removeQueue),
	door("GET", "/v1/budgets", access.BudgetRead, "budgets", "Budgets, with what is spent, booked and left, and when each will be used up", (*Server).budgets),
	door("PUT", "/v1/budgets/{budget}", access.BudgetWrite, "budgets", "Set a budget, or change it to exactly what is given", (*Server).setBudget),
	door("GET", "/v1/budgets/{budget}", access.BudgetRead, "budgets", "Get a budget", (*Server).budget),
	door("DELETE", "/v1/budgets/{budget}", access.BudgetWrite, "budgets", "Remove a budget", (*Server).removeBudget),

	door("GET", "/v1/savings", access.LedgerRead, "ledger", "What the ledger comes to: by day, zone and grade", (*Server).savings),
	door("GET", "/v1/ledger/entries", access.LedgerRead, "ledger", "Ledger entries, oldest first", (*Server).entries),
	door("POST", "/v1/ledger/restatements", access.LedgerRestate, "ledger", "Book hours again on what is known of their intensity now; a dry run only shows what would change", (*Server).restate),
	door("GET", "/v1/ledger/checkpoint", access.LedgerRead, "ledger", "The signed head of the log", (*Server).checkpoint),
	door("GET", "/v1/ledger/proofs/{index}", access.LedgerRead, "ledger", "Proof that an entry of the caller's is in the log", (*Server).proof),
}

func operationID(r Route) string {
	path := strings.NewReplacer("/v1/", "", "/", "-", "{", "", "}", "").Replace(r.Path)
	return strings.ToLower(r.Method) + "-" + strings.Trim(path, "-")
}

type none struct{}

type health struct {
	Status string `json:"status" example:"ok"`
}

func (s *Server) livez(context.Context, *none) (*body[health], error) {
	return ok(health{"ok"})
}

// readyz is true when a transaction can begin.
func (s *Server) readyz(ctx context.Context, _ *none) (*body[health], error) {
	if err := s.Store.ViewAll(ctx, func(tx SystemTx) error { _, err := tx.LogSize(); return err }); err != nil {
		return nil, err
	}
	return ok(health{"ok"})
}

func (s *Server) status(context.Context, *none) (*body[clusy.Status], error) {
	rate := s.Rate
	if rate == 0 {
		rate = 1
	}
	return ok(clusy.Status{Version: s.Version, Now: s.Now(), Demo: s.Demo, Rate: rate, Ends: s.Ends, Origin: s.Origin})
}
