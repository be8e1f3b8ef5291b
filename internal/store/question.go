package store

import (
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
)

// Question is a question to the enclave of a site, put here by the server that
// was asked, for the one to which the site's agent speaks.
type Question struct {
	ID     string
	Tenant access.Tenant // the asker's
	Site   string
	Ask    string // JSON
	Reply  string // JSON; "" until there is one
	Until  time.Time
}

// MaxQuestions is how many questions are carried at once.
const MaxQuestions = 200

func (t *systemTx) PutQuestion(q Question, now time.Time) error {
	if err := t.writable(); err != nil {
		return err
	}
	if q.ID == "" || q.Tenant == "" || q.Site == "" || q.Ask == "" {
		return problem.Errorf(problem.Invalid, "a question needs an id, a tenant, a site and words")
	}
	if err := t.failed("dropping old questions", t.q.SystemDropQuestions(t.ctx, usec(now))); err != nil {
		return err
	}
	waiting, err := t.Questions(now)
	if err != nil {
		return err
	}
	if len(waiting) >= MaxQuestions {
		return problem.Errorf(problem.Limited, "%d questions wait for the enclaves of other servers, which is the limit: ask again in some seconds", MaxQuestions)
	}
	return t.failed("keeping question "+q.ID, t.q.PutQuestion(t.ctx, db.PutQuestionParams{
		ID: q.ID, Tenant: string(q.Tenant), Site: q.Site, Ask: q.Ask, Reply: q.Reply, UntilAt: usec(q.Until)}))
}

func (t *systemTx) Questions(now time.Time) ([]Question, error) {
	rows, err := t.q.SystemQuestions(t.ctx, db.SystemQuestionsParams{Now: usec(now), Most: MaxQuestions})
	if err != nil {
		return nil, t.failed("reading the questions", err)
	}
	return each(rows, func(r db.Question) (Question, error) {
		return Question{ID: r.ID, Tenant: access.Tenant(r.Tenant), Site: r.Site, Ask: r.Ask, Reply: r.Reply, Until: instant(r.UntilAt)}, nil
	})
}

func (t *systemTx) ReplyTo(question, reply string) error {
	if err := t.writable(); err != nil {
		return err
	}
	n, err := t.q.SystemReplyTo(t.ctx, db.SystemReplyToParams{ID: question, Reply: reply})
	if err == nil && n == 0 {
		return missing("open question "+question, nil)
	}
	return t.failed("keeping the reply to "+question, err)
}

func (t *systemTx) DropQuestion(id string) error {
	if err := t.writable(); err != nil {
		return err
	}
	return t.failed("dropping question "+id, t.q.SystemDropQuestion(t.ctx, id))
}
