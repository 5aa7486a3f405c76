package storefront

import (
	_ "shopd/internal/admin"
	_ "shopd/internal/catalog"
	_ "shopd/internal/payments"
)
