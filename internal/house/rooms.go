package house

import (
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/reconcile"
	"clusy.io/clusy/internal/store"
)

// Stores introduces a store to the doors and to the control loop as the house
// does, for those who put the same rooms together otherwise: a simulation.
func Stores(db store.DB) (api.Store, reconcile.Store) {
	b := newBell()
	return apiStore{db, b}, loopStore{db, b}
}
