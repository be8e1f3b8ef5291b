package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
)

// Question is one to berlin, for which somebody waits until five past.
func Question(id string) store.Question {
	return store.Question{ID: id, Tenant: acme, Site: "berlin", Ask: `{"what":"logs"}`, Until: Noon.Add(5 * time.Minute)}
}

// questions: each is carried until it is answered, ended or too late.
func questions(t *testing.T, d store.DB) {
	q := Question("q1")
	late := Question("q0")
	late.Until = Noon.Add(time.Minute)
	house(t, d, func(tx store.SystemTx) error {
		return errors.Join(tx.PutQuestion(late, Noon), tx.PutQuestion(q, Noon))
	})
	at := func(after time.Duration) (got []store.Question) {
		house(t, d, func(tx store.SystemTx) (err error) {
			got, err = tx.Questions(Noon.Add(after))
			return err
		})
		return got
	}
	equal(t, "questions", at(0), []store.Question{late, q})
	equal(t, "questions in time", at(time.Minute), []store.Question{q})
	house(t, d, func(tx store.SystemTx) error { return tx.ReplyTo("q1", `{"id":"q1"}`) })
	q.Reply = `{"id":"q1"}`
	equal(t, "a question with its reply", at(time.Minute), []store.Question{q})
	house(t, d, func(tx store.SystemTx) error {
		want(t, tx.ReplyTo("q1", `{"id":"other"}`), problem.NotFound) // heard once
		want(t, tx.ReplyTo("q9", `{}`), problem.NotFound)
		bad := Question("q2")
		bad.Tenant = ""
		want(t, tx.PutQuestion(bad, Noon), problem.Invalid)
		return tx.DropQuestion("q1")
	})
	equal(t, "none is left", len(at(time.Minute)), 0)
	// The late one goes when another one comes, and no more wait than may.
	house(t, d, func(tx store.SystemTx) error {
		for i := range store.MaxQuestions {
			if err := tx.PutQuestion(Question(fmt.Sprint("m", i)), Noon.Add(2*time.Minute)); err != nil {
				return err
			}
		}
		want(t, tx.PutQuestion(Question("n"), Noon), problem.Limited)
		return nil
	})
	equal(t, "those that wait", len(at(0)), store.MaxQuestions)
}
