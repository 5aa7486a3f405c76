package inventory

import (
	_ "shopd/internal/inventory/alerts"
	_ "shopd/internal/money"
	_ "shopd/internal/platform/cache"
)
