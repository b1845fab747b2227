"""The vocabulary that every other room shares: geometry, volume, study, findings, codes, errors. numpy only."""
