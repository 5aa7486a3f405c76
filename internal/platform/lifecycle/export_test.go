package lifecycle

// SetKill replaces what the second signal does.
func (g *Group) SetKill(kill func()) { g.kill = kill }
