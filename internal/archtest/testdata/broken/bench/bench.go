package bench

import (
	_ "shopd/internal/catalog"
	_ "shopd/internal/payments"
)
