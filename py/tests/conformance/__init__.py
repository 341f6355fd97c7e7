"""What carries out the conformance scenarios with the package as it is installed.

``python -m tests.conformance threads`` does so with :mod:`rustuya`, ``python -m tests.conformance asyncio`` with
:mod:`rustuya.aio`. Orders come as lines of JSON, and every one of them is answered by a line. Who gives them is
``tests/tests/python`` of the repository. Only the public API is used.
"""
