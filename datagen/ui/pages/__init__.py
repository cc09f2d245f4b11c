"""One module a page; each has ``build(desk, visitor)``, called anew for every visit."""
