// Empty: it lets engine.go declare functions whose bodies the engine has.
