package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/problem"
)

// statuses maps each kind of problem to its HTTP status, once.
var statuses = map[problem.Kind]int{
	problem.Invalid:    http.StatusUnprocessableEntity,
	problem.Denied:     http.StatusForbidden,
	problem.NotFound:   http.StatusNotFound,
	problem.Conflict:   http.StatusConflict,
	problem.Infeasible: http.StatusUnprocessableEntity,
	problem.Limited:    http.StatusTooManyRequests,
	problem.Unready:    http.StatusServiceUnavailable,
	problem.Internal:   http.StatusInternalServerError,
}

// failure is clusy.Problem as the API framework wants it.
type failure struct{ clusy.Problem }

func (f *failure) GetStatus() int { return f.Status }
func (f *failure) Error() string  { return f.Problem.Error() }
func (f *failure) ContentType(ct string) string {
	return strings.Replace(ct, "application/json", "application/problem+json", 1)
}
func (f *failure) MarshalJSON() ([]byte, error) { return json.Marshal(f.Problem) }

// nameErrors makes the framework's own errors (a body that breaks the schema,
// say) look like ours. Its hook is a package variable, so it is set once.
var nameErrors = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		f := &failure{clusy.Problem{Title: http.StatusText(status), Status: status, Detail: msg}}
		for _, err := range errs {
			var d huma.ErrorDetailer
			switch {
			case err == nil:
			case errors.As(err, &d):
				detail := d.ErrorDetail()
				f.Errors = append(f.Errors, clusy.Violation{Pointer: pointer(detail.Location), Message: detail.Message, Value: brief(detail.Value)})
			default:
				f.Errors = append(f.Errors, clusy.Violation{Message: err.Error()})
			}
		}
		return f
	}
})

// pointer turns the framework's "body.items[3].tags" into "/items/3/tags". A
// place outside the body keeps its name: "query.limit".
func pointer(location string) string {
	rest, ok := strings.CutPrefix(location, "body")
	if !ok {
		return location
	}
	rest = strings.NewReplacer("~", "~0", "/", "~1").Replace(rest)
	return strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(rest)
}

// brief keeps an echoed value from making an answer as large as its request.
func brief(v any) any {
	switch v := v.(type) {
	case string:
		if len(v) > 200 {
			return v[:200] + "…"
		}
		return v
	case float64, bool, int, int64:
		return v
	}
	return nil
}

// answer turns an error into what the customer is told. What is not a problem
// is ours: it is logged, and the customer is told no more than that.
func (s *Server) answer(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var p *problem.Error
	if !errors.As(err, &p) {
		if ctx.Err() != nil {
			return &failure{clusy.Problem{Title: "Request ended", Status: 499, Detail: "The caller went away."}}
		}
		s.Log.Error("request failed", "op", op, "err", err)
		return &failure{clusy.Problem{Title: http.StatusText(500), Status: 500, Detail: "Something went wrong on our side; it is on record."}}
	}
	if p.Kind == problem.Internal {
		s.Log.Error("request failed", "op", op, "err", err)
	}
	return failed(p)
}

func failed(p *problem.Error) *failure {
	status := statuses[p.Kind]
	f := &failure{clusy.Problem{Type: "https://clusy.io/problems/" + string(p.Kind), Title: http.StatusText(status), Status: status, Detail: p.Detail, NearestCompleteBy: p.NearestCompleteBy}}
	for _, v := range p.Violations {
		cv := clusy.Violation{Pointer: v.Pointer, Message: v.Message, Limit: v.Limit, Nearest: v.Nearest}
		if v.Value != "" {
			cv.Value = v.Value
		}
		f.Errors = append(f.Errors, cv)
	}
	return f
}

func (s *Server) refuse(ctx huma.Context, status int, detail string) {
	writeProblem(ctx.SetHeader, ctx.SetStatus, ctx.BodyWriter(), clusy.Problem{Title: http.StatusText(status), Status: status, Detail: detail})
}

func notFound(w http.ResponseWriter, r *http.Request) {
	writeProblem(w.Header().Set, w.WriteHeader, w, clusy.Problem{
		Title: http.StatusText(404), Status: 404, Detail: fmt.Sprintf("There is no %s %s; see /openapi.json for what there is.", r.Method, r.URL.Path),
	})
}

func writeProblem(header func(k, v string), status func(int), w io.Writer, p clusy.Problem) {
	header("Content-Type", "application/problem+json")
	status(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// strictJSON refuses a body that says one thing twice: which of them counts
// must not depend on who reads it.
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, v any) error {
		if err := duplicates(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	},
}
