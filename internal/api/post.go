package api

import (
	"context"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
)

// Post is where servers that share a database leave questions for one another:
// an agent speaks to one of them, and whoever has a question may ask any.
type Post interface {
	// Leave leaves a question for the server to which the site's agent speaks.
	Leave(ctx context.Context, q Posted) error
	// Waiting returns all questions for which somebody still waits.
	Waiting(ctx context.Context) ([]Posted, error)
	// Reply leaves the reply to a question; Drop ends one.
	Reply(ctx context.Context, id string, r clusy.Reply) error
	Drop(ctx context.Context, id string) error
}

// Posted is a question that was left for another server.
type Posted struct {
	Tenant access.Tenant // the asker's
	Site   string
	Ask    clusy.Ask
	Until  time.Time
	Reply  *clusy.Reply // nil: not yet
}

// elsewhere is how long a question waits for an agent that speaks to this server
// before the others are asked to carry it as well.
const elsewhere = 300 * time.Millisecond

// posted is how long a question stays in the post at most. The one who left it takes
// it away much sooner; this is for a server that dies meanwhile, and long enough
// that clocks of servers which differ by some seconds do not end a question early.
const posted = 2 * time.Minute

// ask puts a question to the enclave of a site, through whichever server its
// agent speaks to, and waits for the reply.
func (s *Server) ask(ctx context.Context, t access.Tenant, site string, a clusy.Ask) (clusy.Reply, error) {
	reply, err := s.relay.put(site, a)
	if err != nil {
		return clusy.Reply{}, err
	}
	defer s.relay.drop(site, a.ID)
	var others <-chan time.Time
	if s.Post != nil {
		timer := time.NewTimer(elsewhere)
		defer timer.Stop()
		others = timer.C
	}
	for {
		select {
		case got := <-reply:
			return got, nil
		case <-others:
			if s.relay.taken(site, a.ID) {
				continue // its agent is here
			}
			if err := s.Post.Leave(ctx, Posted{Tenant: t, Site: site, Ask: a, Until: time.Now().Add(posted)}); err != nil {
				return clusy.Reply{}, err
			}
			defer func() { // whether or not anybody replied
				bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
				defer stop()
				if err := s.Post.Drop(bounded, a.ID); err != nil {
					s.Log.Warn("a question stays in the post until its time is over", "err", err)
				}
			}()
		case <-ctx.Done():
			return clusy.Reply{}, ctx.Err()
		}
	}
}

// Carry looks through the post once: replies to what was asked here go to those
// who wait, and what was asked elsewhere waits for agents that come here. It is
// not for several goroutines at once.
func (s *Server) Carry(ctx context.Context) error {
	waiting, err := s.Post.Waiting(ctx)
	if err != nil {
		return err
	}
	still := map[string]bool{}
	for _, p := range waiting {
		id := p.Ask.ID
		still[id] = true
		if p.Reply != nil {
			s.relay.answer(p.Site, *p.Reply) // to nobody, if it was not asked here
			continue
		}
		if s.relay.knows(p.Site, id) {
			continue
		}
		reply, err := s.relay.put(p.Site, p.Ask)
		if err != nil {
			continue // too many wait: another server may have room
		}
		if s.carried == nil {
			s.carried = map[string]carriedAsk{}
		}
		s.carried[id] = carriedAsk{p.Site, reply}
	}
	for id, c := range s.carried {
		select {
		case r := <-c.reply:
			if err := s.Post.Reply(ctx, id, r); err != nil && still[id] {
				s.Log.Warn("a reply could not be passed on", "site", c.site, "err", err)
			}
			still[id] = false
		default:
		}
		if !still[id] {
			s.relay.drop(c.site, id)
			delete(s.carried, id)
		}
	}
	return nil
}

// carriedAsk is a question of another server that waits for its agent here.
type carriedAsk struct {
	site  string
	reply <-chan clusy.Reply
}
