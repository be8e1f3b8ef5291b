package workload

import (
	"fmt"
	"strings"

	"clusy.io/clusy/internal/problem"
)

// Limits on a group: workloads that are submitted, and admitted, as one thing.
const (
	// MaxMembers is how many workloads a group has at most.
	MaxMembers = 1000
	// MaxAfter is how many workloads one may wait for: all other members.
	MaxAfter = MaxMembers - 1
	// MaxLinks is how often members of one group may wait for another, in all.
	MaxLinks = 20_000
)

// isWorkloadID reports whether id has the form of a workload's id: nothing else
// can be said in it.
func isWorkloadID(id string) bool {
	rest, ok := strings.CutPrefix(id, "wl_")
	return ok && rest != "" && len(id) <= 64 && strings.IndexFunc(rest, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

// validateAfter returns the rules that the list of those before s breaks. That
// they exist, and that nobody waits in a circle, is for whoever knows the others.
func (s Shape) validateAfter() (vs []problem.Violation) {
	if len(s.After) > MaxAfter {
		return []problem.Violation{{Pointer: "/after", Value: fmt.Sprint(len(s.After)), Limit: fmt.Sprintf("at most %d", MaxAfter),
			Message: "it waits for too many: let one workload in between wait for them"}}
	}
	seen := map[string]bool{}
	for n, id := range s.After {
		v := problem.Violation{Pointer: fmt.Sprintf("/after/%d", n), Value: id, Limit: "the id of a workload, wl_…"}
		switch {
		case !isWorkloadID(id):
			v.Value, v.Message = "", "not the id of a workload"
		case seen[id]:
			v.Message = "it is named twice"
		default:
			seen[id] = true
			continue
		}
		vs = append(vs, v)
	}
	return vs
}
