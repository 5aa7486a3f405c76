package events

import (
	_ "shopd/internal/money"
	_ "shopd/internal/platform/cache"
	_ "shopd/internal/platform/id"
)
