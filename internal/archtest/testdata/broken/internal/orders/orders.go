package orders

import (
	_ "shopd/internal/catalog"
	_ "shopd/internal/storefront"
)
