package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// kubeHint is how the file is made.
const kubeHint = "kubectl get jobs -A -o json > jobs.json"

// kubeJob is what is read of a Job of batch/v1.
type kubeJob struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Namespace string    `json:"namespace"`
		Name      string    `json:"name"`
		Created   time.Time `json:"creationTimestamp"`
		Owners    []struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"ownerReferences"` // a CronJob, of what comes again
	} `json:"metadata"`
	Spec struct {
		Parallelism *int64 `json:"parallelism"`
		Completions *int64 `json:"completions"`
		Suspend     *bool  `json:"suspend"`
		Template    struct {
			Spec struct {
				Containers []kubeContainer `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Start      time.Time `json:"startTime"`
		Completion time.Time `json:"completionTime"`
		Conditions []struct {
			Type       string    `json:"type"`
			Status     string    `json:"status"`
			Transition time.Time `json:"lastTransitionTime"`
		} `json:"conditions"`
	} `json:"status"`
}

type kubeContainer struct {
	Name      string `json:"name"`
	Resources struct {
		Requests map[string]string `json:"requests"`
		Limits   map[string]string `json:"limits"`
	} `json:"resources"`
}

// readKubernetes reads a list of Jobs, or one.
func (t *jobTrace) readKubernetes(body []byte) error {
	t.dated = true
	var list struct {
		Kind  string            `json:"kind"`
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("%w; make the file with\n  %s", jsonFault(body, err), kubeHint)
	}
	switch list.Kind {
	case "Job":
		list.Items = []json.RawMessage{body}
	case "List", "JobList":
	default:
		return fmt.Errorf("it is of kind %q, want a List of Jobs; make the file with\n  %s", clean(list.Kind), kubeHint)
	}
	for i, raw := range list.Items {
		var k kubeJob
		if err := json.Unmarshal(raw, &k); err != nil {
			return fmt.Errorf("items[%d]: %w", i, err)
		}
		name := clean(strings.TrimPrefix(k.Metadata.Namespace+"/"+k.Metadata.Name, "/"))
		if name == "" {
			name = fmt.Sprintf("items[%d]", i)
		}
		if err := t.kubeJob(&k, name); err != nil {
			return fmt.Errorf("items[%d] (%s): %w", i, name, err)
		}
	}
	return nil
}

// jsonFault adds the line to an error of syntax.
func jsonFault(body []byte, err error) error {
	var bad *json.SyntaxError
	if errors.As(err, &bad) {
		return fmt.Errorf("line %d: %w", 1+strings.Count(string(body[:min(int(bad.Offset), len(body))]), "\n"), err)
	}
	return err
}

func (t *jobTrace) kubeJob(k *kubeJob, name string) error {
	if k.Kind != "" && k.Kind != "Job" {
		t.left.add("is no Job but a "+clean(k.Kind), name)
		return nil
	}
	end := k.Status.Completion
	for _, c := range k.Status.Conditions { // one that failed has no completionTime
		if end.IsZero() && c.Type == "Failed" && c.Status == "True" {
			end = c.Transition
		}
	}
	suspended := k.Spec.Suspend != nil && *k.Spec.Suspend
	switch {
	case suspended && end.IsZero():
		t.left.add("is suspended", name)
		return nil
	case k.Status.Start.IsZero():
		t.left.add("never started", name)
		return nil
	case end.IsZero():
		t.left.add("is not complete", name)
		return nil
	case k.Metadata.Created.IsZero():
		return errors.New("metadata.creationTimestamp is missing: when it arrived is unknown")
	case end.Before(k.Status.Start):
		return fmt.Errorf("status.completionTime %s is before status.startTime %s", end.Format(time.RFC3339), k.Status.Start.Format(time.RFC3339))
	}
	pods := int64(1)
	if k.Spec.Parallelism != nil {
		pods = *k.Spec.Parallelism
	}
	if k.Spec.Completions != nil {
		pods = min(pods, *k.Spec.Completions)
	}
	if pods < 0 || pods > mostJobCPUs {
		return fmt.Errorf("spec.parallelism %d: want 0 to %d", pods, mostJobCPUs)
	}
	j := pastJob{id: name, arrive: k.Metadata.Created.UTC(), length: end.Sub(k.Status.Start), watts: math.NaN()}
	if len(k.Metadata.Owners) > 0 {
		j.class = classOfJob(k.Metadata.Namespace, k.Metadata.Owners[0].Name)
	}
	if y := j.arrive.Year(); y < 1990 || y > 2200 {
		return fmt.Errorf("metadata.creationTimestamp is of the year %d", y)
	}
	for _, c := range k.Spec.Template.Spec.Containers {
		for _, amount := range []struct {
			key string
			to  *float64
		}{{"cpu", &j.cpus}, {"nvidia.com/gpu", &j.gpus}, {"amd.com/gpu", &j.gpus}} {
			text, ok := c.Resources.Requests[amount.key]
			if !ok {
				text, ok = c.Resources.Limits[amount.key] // a limit without a request is both
			}
			if !ok {
				continue
			}
			v, good := kubeAmount(text)
			if !good || v*float64(pods) > mostJobCPUs {
				return fmt.Errorf("container %s requests %s %q: want an amount as 500m or 2, up to %d in all", clean(c.Name), amount.key, clean(text), mostJobCPUs)
			}
			*amount.to += v * float64(pods)
		}
	}
	if j.cpus == 0 && j.gpus == 0 && pods > 0 {
		t.left.add("requests no cpu: its power is unknown", name)
		return nil
	}
	return t.keep(j)
}

var kubeNumber = regexp.MustCompile(`^(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(n|u|m|k|)$`)

// kubeAmount reads a quantity of Kubernetes as far as processors have them.
func kubeAmount(s string) (float64, bool) {
	m := kubeNumber.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	return v * map[string]float64{"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3}[m[2]], err == nil
}
