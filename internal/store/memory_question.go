package store

import (
	"context"

	"clusy.io/clusy/internal/store/db"
)

func (r *rows) PutQuestion(_ context.Context, p db.PutQuestionParams) error {
	switch {
	case p.Tenant == "":
		return check
	case r.questions.has(key{a: p.ID}):
		return unique
	}
	r.questions.put(key{a: p.ID}, db.Question(p))
	return nil
}

func (r *rows) SystemQuestions(_ context.Context, p db.SystemQuestionsParams) (out []db.Question, err error) {
	for _, q := range r.questions.all() {
		if len(out) == int(p.Most) {
			break
		}
		if q.UntilAt > p.Now {
			out = append(out, q)
		}
	}
	return out, nil
}

func (r *rows) SystemReplyTo(_ context.Context, p db.SystemReplyToParams) (int64, error) {
	q, ok := r.questions.get(key{a: p.ID})
	if !ok || q.Reply != "" {
		return 0, nil
	}
	q.Reply = p.Reply
	r.questions.put(key{a: p.ID}, q)
	return 1, nil
}

func (r *rows) SystemDropQuestion(_ context.Context, id string) error {
	r.questions.remove(key{a: id})
	return nil
}

func (r *rows) SystemDropQuestions(_ context.Context, now int64) error {
	var old []key
	for k, q := range r.questions.all() {
		if q.UntilAt <= now {
			old = append(old, k)
		}
	}
	for _, k := range old {
		r.questions.remove(k)
	}
	return nil
}
