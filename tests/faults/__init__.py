"""The fault gate: the real pipeline under load while workers and servers are hurt; do the books still agree?"""
