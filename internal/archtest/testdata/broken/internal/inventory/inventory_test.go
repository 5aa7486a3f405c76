package inventory_test

import (
	_ "shopd/internal/payments"
	_ "shopd/internal/platform/testenv"
)
