// Package clusy is the public Go client of Clusy, the carbon-aware workload
// orchestrator, and the wire types of its HTTP API. Everything that the
// command line, the console and an agent can do, they do through this API.
//
// The rooms of the house are under internal/, and docs/explanation/rooms.md is
// their map; layers_test.go in this folder is the law of who may import whom.
package clusy
