"""All rows with the states in them, and the migrations. One module per noun that writes the rows.

Here belong columns, constraints and closed vocabularies of states; Not here: queries (each noun's `repository`),
decisions.
"""
