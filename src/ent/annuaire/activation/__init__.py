"""Activation of an account by the person it was made for."""
