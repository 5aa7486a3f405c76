package main

import (
	_ "shopd/internal/app"
	_ "shopd/internal/catalog"
	_ "shopd/internal/platform/config"
)

func main() {}
