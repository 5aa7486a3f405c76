package inprocess_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/broker"
	"shopd/internal/platform/broker/brokertest"
	"shopd/internal/platform/broker/inprocess"
)

func TestInProcess(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(testing.TB) brokertest.Deployment {
		return brokertest.Deployment{
			Broker: func(t testing.TB, c broker.Config) broker.Broker {
				b, err := inprocess.New(c)
				require.NoError(t, err)
				return b
			},
		}
	})
}
