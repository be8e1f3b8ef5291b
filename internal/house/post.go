package house

import (
	"context"
	"encoding/json"
	"fmt"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/store"
)

// post is where servers that share a database leave questions to enclaves for
// one another.
type post struct {
	db    store.DB
	clock Clock
}

func (p post) Leave(ctx context.Context, q api.Posted) error {
	ask, err := json.Marshal(q.Ask)
	if err != nil {
		return fmt.Errorf("encode a question: %w", err)
	}
	return p.db.System().Update(ctx, func(tx store.SystemTx) error {
		return tx.PutQuestion(store.Question{ID: q.Ask.ID, Tenant: q.Tenant, Site: q.Site, Ask: string(ask), Until: q.Until}, p.clock.Now())
	})
}

func (p post) Waiting(ctx context.Context) (out []api.Posted, err error) {
	err = p.db.System().View(ctx, func(tx store.SystemTx) error {
		all, err := tx.Questions(p.clock.Now())
		out = make([]api.Posted, len(all))
		for i, q := range all {
			out[i] = api.Posted{Tenant: q.Tenant, Site: q.Site, Until: q.Until}
			if err := json.Unmarshal([]byte(q.Ask), &out[i].Ask); err != nil {
				return fmt.Errorf("read question %s: %w", q.ID, err)
			}
			if q.Reply == "" {
				continue
			}
			out[i].Reply = new(clusy.Reply)
			if err := json.Unmarshal([]byte(q.Reply), out[i].Reply); err != nil {
				return fmt.Errorf("read the reply to question %s: %w", q.ID, err)
			}
		}
		return err
	})
	return out, err
}

func (p post) Reply(ctx context.Context, id string, r clusy.Reply) error {
	reply, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a reply: %w", err)
	}
	return p.db.System().Update(ctx, func(tx store.SystemTx) error { return tx.ReplyTo(id, string(reply)) })
}

func (p post) Drop(ctx context.Context, id string) error {
	return p.db.System().Update(ctx, func(tx store.SystemTx) error { return tx.DropQuestion(id) })
}
