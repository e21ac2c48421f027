"""All rows with the states in them, and the migrations. One module per noun that writes the rows.

Here belong columns, constraints and closed vocabularies of states; no query (each noun's `repository`) and no decision.
"""
