package pricing

import (
	"context"
	"fmt"
)

// Rate returns the rate of the tax on goods that go there, in millionths: 190000 is 19 %. It is nothing where no tax is
// known.
func (s *Service) Rate(ctx context.Context, country, region string) (int64, error) {
	t, err := s.rates(ctx)
	if err != nil {
		return 0, fmt.Errorf("read tax rates: %w", err)
	}
	return t.of(country, region), nil
}
