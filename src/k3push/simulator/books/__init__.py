"""The site's books: bills, what pushes and other operations make of them, and who sees it."""
