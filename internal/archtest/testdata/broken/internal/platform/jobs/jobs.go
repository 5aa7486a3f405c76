package jobs

import (
	_ "shopd/internal/catalog"
	_ "shopd/internal/events"
)
