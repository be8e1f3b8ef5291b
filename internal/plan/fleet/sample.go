package fleet

// sample returns about n members that stand for all of m: a member is taken
// each time that so and so much work has gone by, and stands for that work. So
// the large ones, few and most of the load, are all there and stand for
// themselves, and no stretch of time or site is forgotten.
func (c *crowd) sample(n int) []member {
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
