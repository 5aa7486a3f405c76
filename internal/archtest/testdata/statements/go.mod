// Statements that hold and statements that do not. It is never built, only listed and read.
module broken

go 1.26
