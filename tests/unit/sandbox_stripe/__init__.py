"""The stand-in's rules without HTTP: forms, signatures, periods, hostile plans, differences, parameters."""
