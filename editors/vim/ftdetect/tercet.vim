autocmd BufNewFile,BufRead *.tct setfiletype tercet
