"""Runs the steps of conformance scenarios with the installed package.

``python -m tests.conformance threads`` runs them with :mod:`rustuya`, ``python -m tests.conformance asyncio`` with
:mod:`rustuya.aio`. Each order is a line of JSON, and its answer is a line. ``tests/tests/python`` of the repository
sends them. Only the public API is used.
"""
