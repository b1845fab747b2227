"""Systems, one per paper: config + preprocessing + network + loss + decode to a Reading on the source grid."""
