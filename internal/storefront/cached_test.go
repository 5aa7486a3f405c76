package storefront

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCachedLoadsOnceForAll(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	loads := 0
	c := newCached(time.Now, time.Minute, func(context.Context) (int, error) {
		<-release
		loads++
		return loads, nil
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			v, err := c.get(t.Context())
			if err != nil || v != 1 {
				t.Errorf("got %d, %v", v, err)
			}
		})
	}
	close(release)
	all.Wait()
	require.Equal(t, 1, loads)
}

func TestCachedKeepsTheOldValueWhenLoadingFails(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var fail error
	c := newCached(func() time.Time { return now }, time.Minute, func(context.Context) (string, error) { return "value", fail })
	_, err := c.get(t.Context())
	require.NoError(t, err)
	fail = errors.New("away")
	now = now.Add(2 * time.Minute)
	v, err := c.get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "value", v)
}

func TestCachedTellsThatThereIsNothingYet(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	c := newCached(time.Now, time.Minute, func(context.Context) (string, error) { return "", away })
	for range 2 {
		_, err := c.get(t.Context())
		require.ErrorIs(t, err, away)
	}
}

func TestCachedOutlivesALoadThatPanics(t *testing.T) {
	t.Parallel()
	panics := true
	c := newCached(time.Now, time.Minute, func(context.Context) (string, error) {
		if panics {
			panic("no")
		}
		return "value", nil
	})
	require.Panics(t, func() { _, _ = c.get(t.Context()) }) // the panic is what is looked at
	panics = false
	v, err := c.get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "value", v)
}
