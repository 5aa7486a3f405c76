package money

import (
	_ "shopd/internal/platform/id"
)
