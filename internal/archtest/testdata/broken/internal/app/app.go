package app

import (
	_ "shopd/cmd/shopd/flags"
	_ "shopd/internal/catalog"
	_ "shopd/internal/payments"
)
