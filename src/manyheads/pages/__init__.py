"""The toolkit of pages and figures that studies and reports share: blocks, words, HTML and the style of figures."""
