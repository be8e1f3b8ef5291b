package fleet

// sample returns about n members that stand for all of c: a member is taken
// each time that so and so much work has gone by, and stands for that work. So
// the large ones, few and most of the load, are all there and stand for
// themselves, and no stretch of time or site is forgotten.
func (c *crowd) sample(n int) []member {
	if n >= len(c.jobs) {
		return append([]member(nil), c.jobs...)
	}
	total := 0.0
	for i := range c.jobs {
		total += c.work(&c.jobs[i])
	}
	step := total / float64(n)
	var all []member
	sum := step / 2
	for i := range c.jobs {
		j := c.jobs[i]
		v := c.work(&j)
		if v <= 0 {
			continue
		}
		sum += v
		if sum < step {
			continue
		}
		if v < step {
			j.weight = step / v
			sum -= step
		} else {
			sum -= v // it stands for itself
		}
		all = append(all, j)
	}
	return all
}

// work returns how much j takes of the first thing, in all its slots, at the
// first of its ways.
func (c *crowd) work(j *member) float64 {
	if j.first == j.last {
		return 0
	}
	p := &c.ways[j.first]
	return p.use * float64(p.need)
}

// sampleRest returns at most n of the parties, each of which stands for as many.
func (c *crowd) sampleRest(n int) []party {
	step := (len(c.rest) + n - 1) / n
	var all []party
	for i := 0; i < len(c.rest); i += max(1, step) {
		q := c.rest[i]
		q.weight = float64(min(step, len(c.rest)-i))
		all = append(all, q)
	}
	return all
}
