package main

import (
	"context"
	"strings"

	"clusy.io/clusy"
)

const (
	idPrefix = "wl_"
	idLength = len(idPrefix) + 36
	// searched is how many workloads, the newest first, are looked through for
	// one whose id begins with what was given.
	searched = 1000
)

// fullID returns the id that begins with what was given, with wl_ or without.
// A whole id costs nothing; else the newest workloads are looked through, and
// what fits none of them is left for the server to judge.
func fullID(ctx context.Context, c *clusy.Client, given string) (string, error) {
	if isGroup(given) {
		return given, nil
	}
	begin := strings.ToLower(given)
	if !strings.HasPrefix(begin, idPrefix) {
		begin = idPrefix + begin
	}
	if len(begin) >= idLength || len(begin) < len(idPrefix)+4 {
		return given, nil
	}
	var found []string
	seen := 0
	for cursor := ""; ; {
		p, err := c.Workloads(ctx, nil, cursor, 500)
		if err != nil {
			return "", err
		}
		for _, w := range p.Items {
			if strings.HasPrefix(w.ID, begin) {
				found = append(found, w.ID)
			}
		}
		seen += len(p.Items)
		if cursor = p.Next; cursor == "" || seen >= searched {
			break
		}
	}
	switch len(found) {
	case 0:
		return given, nil
	case 1:
		return found[0], nil
	}
	return "", usage("%q begins %d ids, give a few letters more:\n  %s", given, len(found), strings.Join(found[:min(len(found), 5)], "\n  "))
}
