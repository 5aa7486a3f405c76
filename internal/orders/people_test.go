package orders_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"sync"

	"shopd/internal/orders"
)

// people keeps a key for each person in memory, as the keyring of users does in its table.
type people struct {
	mu   sync.Mutex
	keys map[string]cipher.AEAD
}

func newPeople() *people { return &people{keys: map[string]cipher.AEAD{}} }

func (p *people) Seal(_ context.Context, subject string, plain, associated []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key, ok := p.keys[subject]
	if !ok {
		secret := make([]byte, 32)
		rand.Read(secret)
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, err
		}
		if key, err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, err
		}
		p.keys[subject] = key
	}
	return key.Seal(nil, nil, plain, associated), nil
}

func (p *people) OpenAll(_ context.Context, list []orders.Sealed) ([][]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	opened := make([][]byte, len(list))
	for i, s := range list {
		key, ok := p.keys[s.Subject]
		if !ok {
			continue
		}
		plain, err := key.Open(nil, nil, s.Bytes, s.AssociatedData)
		if err != nil {
			return nil, err
		}
		opened[i] = bytes.Clone(plain)
	}
	return opened, nil
}

func (p *people) Forget(_ context.Context, subjects ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range subjects {
		delete(p.keys, s)
	}
	return nil
}

func (p *people) knows(subject string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[subject] != nil
}
