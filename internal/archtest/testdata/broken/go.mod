// A house in which every rule is broken once. It is never built, only listed and read.
module shopd

go 1.26
